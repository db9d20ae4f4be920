"""The rule-based animator: from phones, loudness, pitch and emotion to the canonical channels.

`VisemeAnimator` needs no training and no model file. A line becomes functions of continuous time
(the mouth of `coarticulation`, the gestures of `speech_gestures`, the pose of `emotion_poses`), and
these are read at the exact time of every frame, so that all frame rates sample one motion.
Everything random comes from the utterance's seed and the phones, never from a line id or speaker:
equal takes have equal faces.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float64

from unitaf import timing
from unitaf.errors import InputError
from unitaf.face.channel_mixing import Mixer, Scale
from unitaf.face.coarticulation import Mouth
from unitaf.face.emotion_poses import Manner, emotion_manner, emotion_pose
from unitaf.face.envelopes import Pulses, smoothstep
from unitaf.face.prosody import Phrase, read_prosody
from unitaf.face.speech_gestures import BrowPlan, EyesAndHeadPlan, emphasis_of
from unitaf.rigs.arkit import BLENDSHAPES, CHANNELS
from unitaf.types import FaceMotion, Speech, Utterance

REVISION = 2
"""Raised with every change that moves a curve."""

STYLES: dict[str, dict[str, float]] = {
    "plain": {},
    "lively": {"strength": 1.2, "expression": 1.2, "gestures": 1.4},
    "restrained": {"strength": 0.8, "expression": 0.8, "gestures": 0.5},
}
"""Settings of `VisemeAnimator` by the style that the embedded face model learnt from them."""

_BLOCK = 256
"""Frames computed at once: bounds the memory of long lines."""
_STREAMS = 6
_BREATH_PAUSE_S = 0.18
_LARGEST_SCALE = 1.5
"""Keeps the fastest mouth below the speed that looks like a jump."""
_EMOTION_RISE_S = 0.5


class VisemeAnimator:
    """A face from rules: co-articulated lips and jaw, blinks, brows, head, gaze and emotion.

    Args:
        strength: Scales all mouth movement, 0 to 1.5; lips meet for /p b m/ at any strength.
        expression: Scales the emotion's pose, 0 to 1.5.
        gestures: Scales brow and head movement, 0 to 1.5.
        blinks_per_minute: Of a neutral face; 0 for none.
        variation: How much lines differ in style for their seed alone, 0 to 1.5.
    """

    def __init__(
        self,
        strength: float = 1.0,
        expression: float = 1.0,
        gestures: float = 1.0,
        blinks_per_minute: float = 18.0,
        variation: float = 1.0,
    ) -> None:
        limits = {
            "strength": (strength, 1.5),
            "expression": (expression, 1.5),
            "gestures": (gestures, 1.5),
            "blinks_per_minute": (blinks_per_minute, 60.0),
            "variation": (variation, 1.5),
        }
        for name, (value, highest) in limits.items():
            if not 0.0 <= value <= highest:
                raise ValueError(f"{name} must be from 0 to {highest:g}, not {value!r}")
        self._settings = {name: float(value) for name, (value, _) in limits.items()}

    @property
    def fingerprint(self) -> str:
        """The revision of the rules and every setting."""
        settings = " ".join(f"{name}={value:g}" for name, value in self._settings.items())
        return f"visemes/{REVISION} {settings}"

    @property
    def licence(self) -> str:
        """No terms: the motion is made by rules of this package."""
        return "none"

    def load(self) -> None:
        """Do nothing: there is no model."""

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order.

        Raises:
            InputError: If a phone's label is not IPA.
            ValueError: If there are not as many speeches as utterances.
        """
        line = partial(_Line, settings=self._settings)
        return _animated(line, utterances, speeches, fps)

    def animate_eyes_and_head(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Do what `animate` does on the channels `EYES_AND_HEAD` alone, in less time.

        Raises:
            InputError: If a phone's label is not IPA.
            ValueError: If there are not as many speeches as utterances.
        """
        line = partial(_EyesAndHead, settings=self._settings)
        return _animated(line, utterances, speeches, fps)


def _animated(
    make_line: "Callable[[Utterance, Speech], _Line | _EyesAndHead]",
    utterances: Sequence[Utterance],
    speeches: Sequence[Speech],
    fps: float,
) -> list[FaceMotion]:
    motions = []
    for utterance, speech in zip(utterances, speeches, strict=True):
        frames = timing.num_frames(speech.num_samples, speech.sample_rate, fps)
        times = timing.frame_times(frames, fps)
        curves = np.zeros((frames, len(CHANNELS)), np.float32)
        try:
            line = make_line(utterance, speech)
        except ValueError as error:
            raise InputError(utterance.id, str(error)) from error
        for first in range(0, frames, _BLOCK):
            curves[first : first + _BLOCK] = line.at(times[first : first + _BLOCK]).T
        shapes = curves[:, : len(BLENDSHAPES)]
        np.clip(shapes, 0.0, 1.0, out=shapes)
        motions.append(FaceMotion(curves, CHANNELS, fps))
    return motions


class _EyesAndHead:
    """Eyes and head of one line, at any time, and what they share with the rest of its face."""

    def __init__(self, utterance: Utterance, speech: Speech, settings: dict[str, float]) -> None:
        style, blinks, self.brow_random, head, gaze, self.drift_random = _generators(
            utterance, speech
        )
        self.prosody = read_prosody(utterance, speech)
        manner = emotion_manner(speech.emotion)
        varied = settings["variation"] * np.clip(style.normal(size=8), -2.0, 2.0)
        expression = settings["expression"] * float(np.exp(0.10 * varied[0]))
        pose = {name: w * expression for name, w in emotion_pose(speech.emotion).items()}
        self._duration_s = speech.duration_s
        self.mixer = Mixer(pose, _scale(settings["strength"] * manner.mouth, varied))
        self.manner = _styled(manner, settings["gestures"], varied)
        self.emphasis = emphasis_of(self.prosody)
        random = (blinks, head, gaze, self.drift_random)
        self.plan = EyesAndHeadPlan(
            self.prosody, speech.duration_s, self.manner, settings["blinks_per_minute"], random
        )

    def intensity(
        self,
        times: Float64[np.ndarray, " frames"],
        emphasis: Float64[np.ndarray, " frames"],
    ) -> Float64[np.ndarray, " frames"]:
        """Return how much of the emotion's pose shows at each time."""
        left_s = self._duration_s - times
        intensity = 0.70 + 0.20 * smoothstep(times / _EMOTION_RISE_S) + 0.12 * emphasis
        intensity -= 0.15 * smoothstep(1.0 - left_s / _EMOTION_RISE_S)
        return intensity

    def at(self, times: Float64[np.ndarray, " frames"]) -> Float64[np.ndarray, "channels frames"]:
        """Return the channels at ascending times, blendshapes not yet clipped, others at rest."""
        intensity = self.intensity(times, self.emphasis.highest(times))
        return self.mixer.mix_eyes_and_head(self.plan.at(times), intensity)


class _Line:
    """The face of one line, at any time."""

    def __init__(self, utterance: Utterance, speech: Speech, settings: dict[str, float]) -> None:
        shared = self._shared = _EyesAndHead(utterance, speech, settings)
        self._mouth = Mouth(speech.phones, shared.prosody.gains, speech.duration_s)
        self._breaths = _breaths(shared.prosody.phrases)
        # After the plan of the head, which draws its drifts first.
        random = (shared.brow_random, shared.drift_random)
        self._brows = BrowPlan(shared.prosody, shared.manner, random)

    def at(self, times: Float64[np.ndarray, " frames"]) -> Float64[np.ndarray, "channels frames"]:
        """Return the channels at ascending times, blendshapes not yet clipped."""
        emphasis = self._shared.emphasis.highest(times)
        return self._shared.mixer.mix(
            self._mouth.at(times),
            self._shared.plan.at(times),
            self._brows.at(times),
            self._breaths.highest(times),
            emphasis,
            self._shared.intensity(times, emphasis),
        )


def _generators(utterance: Utterance, speech: Speech) -> list[np.random.Generator]:
    """Return a generator for each purpose, so that more draws of one do not move another."""
    words = "|".join(phone.label for phone in speech.phones)
    identity = f"{utterance.seed} {speech.num_samples} {speech.sample_rate} {words}"
    key = int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "little")
    return [
        np.random.Generator(np.random.Philox(key=np.array([key, stream], np.uint64)))
        for stream in range(_STREAMS)
    ]


def _scale(mouth: float, varied: Float64[np.ndarray, " styles"]) -> Scale:
    return Scale(
        jaw=min(mouth * float(np.exp(0.10 * varied[1])), _LARGEST_SCALE),
        lips=min(mouth * float(np.exp(0.08 * varied[2])), _LARGEST_SCALE),
        spread=min(mouth * float(np.exp(0.12 * varied[3])), _LARGEST_SCALE),
        left_mouth=0.045 * float(varied[4]),
        left_brow=0.055 * float(varied[5]),
    )


def _styled(manner: Manner, gestures: float, varied: Float64[np.ndarray, " styles"]) -> Manner:
    lively = gestures * float(np.exp(0.20 * varied[6]))
    return replace(
        manner,
        gestures=manner.gestures * lively,
        brow_accents=manner.brow_accents * lively,
        blink_rate=manner.blink_rate * float(np.exp(0.20 * varied[7])),
    )


def _breaths(phrases: Sequence[Phrase]) -> Pulses:
    """Part the lips before each phrase that follows a pause long enough to breathe in."""
    rows = []
    silent_since = 0.0
    for phrase in phrases:
        start = max(silent_since + 0.05, phrase.start_s - 0.40)
        length = phrase.start_s - 0.02 - start
        if phrase.start_s - silent_since >= _BREATH_PAUSE_S:
            rows.append((start, 0.55 * length, 0.05 * length, 0.40 * length, 1.0))
        silent_since = phrase.end_s
    return Pulses.of(rows)
