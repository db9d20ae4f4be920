"""The phones of a recording whose text nobody knows: what was said, and when.

`PhoneRecognizer` hears them with the phoneme network of the hama package (Apache-2.0, weights in
the wheel): English and Korean; of other languages it hears the nearest sounds of these two.
`HeardVisemes` animates recordings by rules from them and from the pitch.

Conventions: the network is a CTC recogniser (Graves et al. 2006): of each sound it marks one
moment, late in it, and not its extent. A sound is taken to begin a fixed time before its mark,
by class of sound, and to last until the next begins or the recording falls silent. The
network reads at most 30 s and drops the rest without a word, so recordings are heard in windows
that share 3 s, and are cut at the quietest place that two windows share.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise

import numpy as np
from hama import ASRModel
from jaxtyping import Bool, Float32

from unitaf import timing
from unitaf.audio import resample
from unitaf.errors import BackendError
from unitaf.face.phones import postures
from unitaf.face.pitch import PITCH_RATE, track_pitch
from unitaf.face.visemes import VisemeAnimator
from unitaf.types import FaceMotion, Phone, Speech, Utterance

REVISION = 1
"""Raised with every change that moves a phone or the pitch."""

SAMPLE_RATE = 16_000
MODEL_SHA256 = "a9fcfe73e179ca48e399cd76a90a6b3e1887bf5037ecc52b778d13a149563328"

WINDOW_S = 12
STEP_S = 9
_CONTEXT_S = 0.5
"""A window's marks nearer than this to a cut end are not used."""

_MARK_RATE = 50.0
_BLANK_PENALTY = 1.0
"""Nats taken from the network's "nothing new": 0.5 % more sounds found, 0.4 % more made up."""
_LAG_S = {
    "alveolar": 0.045,
    "velar": 0.045,
    "bilabial": 0.070,
    "dental": 0.070,
    "vowel": 0.065,
    "labial_glide": 0.080,
    "glottal": 0.085,
}
"""From a sound's begin to its mark: medians over 4,000 sounds of lines with known phones."""
_OTHER_LAG_S = 0.055
_SHORTEST_S = 0.03
_LONGEST_VOWEL_S, _LONGEST_CONSONANT_S = 1.5, 0.4
"""What goes on for longer, over music or a hum, is not the sound that was heard at its begin."""

_LEVEL_RATE = 100
"""How many times a second loudness is measured."""
_PAUSE_S = 0.15
"""A shorter silence is the closure of a stop."""
_LARGEST_RANGE_DB = 45.0
_SILENCE_SHARE = 0.3
"""Silence lies below this share of the way from the quietest to the loudest."""


@dataclass(frozen=True, slots=True)
class _Mark:
    label: str
    time_s: float


class PhoneRecognizer:
    """Hears the phones of recordings.

    Raises:
        BackendError: If the installed weights are not those that this was measured with.
    """

    def __init__(self) -> None:
        weights = files("hama.assets").joinpath("asr_waveform.hama").read_bytes()
        if hashlib.sha256(weights).hexdigest() != MODEL_SHA256:
            raise BackendError("the weights of the hama package are damaged: install it again")
        self._model = ASRModel()
        self._labels = [_label(token) for token in self._model.decoder_tokens]

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same recording could give other phones."""
        return f"hama/{REVISION} package={version('hama')} model={MODEL_SHA256[:16]}"

    def hear(
        self, waveform: Float32[np.ndarray, " samples"], sample_rate: int
    ) -> tuple[Phone, ...]:
        """Return the phones of a recording: in order, without gaps, from 0 to its end.

        Only a window's worth is held at another rate or inside the network, however long the
        recording is.

        Args:
            waveform: Mono, any level, any length from one sample.
            sample_rate: Hz.
        """
        duration_s = len(waveform) / sample_rate
        is_quiet = np.ones(timing.num_frames(len(waveform), sample_rate, _LEVEL_RATE), np.bool_)
        marks: list[_Mark] = []
        since_s = 0.0
        for index, (start, stop) in enumerate(_windows(len(waveform), sample_rate)):
            begin_s = index * STEP_S
            piece = resample(waveform[start:stop], sample_rate, SAMPLE_RATE)
            level = _levels(piece)
            until_s = duration_s if stop == len(waveform) else begin_s + _quietest_s(level)
            quiet = level < _silence(level)
            first = begin_s * _LEVEL_RATE
            is_quiet[first : first + len(quiet)] = quiet[: len(is_quiet) - first]
            for mark in self._listen(piece):
                if since_s <= begin_s + mark.time_s < until_s:
                    marks.append(_Mark(mark.label, begin_s + mark.time_s))
            since_s = until_s
        return _lay_out(marks, is_quiet, duration_s)

    def _listen(self, piece: Float32[np.ndarray, " samples"]) -> Iterator[_Mark]:
        """Yield the marks of a window: each run of steps that agree on a sound, once."""
        (scores,) = self._model.session.run(["log_probs"], {"waveform": piece})
        log_probs = scores[0]
        log_probs[:, self._model.blank_id] -= _BLANK_PENALTY
        best = log_probs.argmax(axis=1)
        bounds = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
        for first, last in pairwise(bounds):
            label = self._labels[best[first]]
            if label:
                share = np.exp(log_probs[first:last, best[first]])
                steps = np.arange(first, last)
                yield _Mark(label, float((steps * share).sum() / share.sum()) / _MARK_RATE)


def _label(token: str) -> str:
    """Return the phone that a token of the network stands for; empty if it is not a sound."""
    if token.startswith("<"):
        return ""
    try:
        postures(token)
    except ValueError:
        return ""
    return token


def _windows(num_samples: int, sample_rate: int) -> list[tuple[int, int]]:
    """Return the first and one past the last sample of every window; they begin on whole seconds.

    Whole seconds are whole numbers of samples at every rate, so windows share one clock.
    """
    beyond_first = max(num_samples - WINDOW_S * sample_rate, 0)
    count = -(-beyond_first // (STEP_S * sample_rate)) + 1
    starts = [index * STEP_S * sample_rate for index in range(count)]
    return [(start, min(start + WINDOW_S * sample_rate, num_samples)) for start in starts]


def _levels(piece: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " hops"]:
    """Return the level of every hop in dB relative to full scale, at least -120."""
    hop = SAMPLE_RATE // _LEVEL_RATE
    hops = -(-len(piece) // hop)
    blocks = np.pad(piece, (0, hops * hop - len(piece))).reshape(hops, hop)
    power = np.square(blocks).mean(axis=1)
    level: Float32[np.ndarray, " hops"] = 10.0 * np.log10(np.maximum(power, np.float32(1e-12)))
    return level


def _silence(level: Float32[np.ndarray, " hops"]) -> float:
    """Return the level below which a window is silent."""
    quiet, loud = np.percentile(level, [10, 95])
    quiet = max(quiet, loud - _LARGEST_RANGE_DB)
    return float(quiet + _SILENCE_SHARE * (loud - quiet))


def _quietest_s(level: Float32[np.ndarray, " hops"]) -> float:
    """Return the time of the quietest tenth of a second that a window shares with the next."""
    first = round((STEP_S + _CONTEXT_S) * _LEVEL_RATE)
    last = round((WINDOW_S - _CONTEXT_S) * _LEVEL_RATE)
    smooth = np.convolve(10.0 ** (level / 10.0), np.ones(10), "same")
    return (first + int(smooth[first:last].argmin())) / _LEVEL_RATE


def _lay_out(
    marks: Sequence[_Mark], is_quiet: Bool[np.ndarray, " hops"], duration_s: float
) -> tuple[Phone, ...]:
    """Give every mark its extent, and fill what is silent between them with pauses."""
    if not marks:
        return (Phone("", 0.0, duration_s),)
    begins = _begins(marks)
    phones: list[Phone] = []
    if begins[0] >= _PAUSE_S:
        phones.append(Phone("", 0.0, begins[0]))
    else:
        begins[0] = 0.0
    for mark, begin, following in zip(marks, begins, [*begins[1:], duration_s], strict=True):
        end = _end(mark, begin, following, is_quiet)
        phones.append(Phone(mark.label, begin, end))
        if end < following:
            phones.append(Phone("", end, following))
    return tuple(phones)


def _begins(marks: Sequence[_Mark]) -> list[float]:
    begins: list[float] = []
    for mark in marks:
        begin = mark.time_s - _LAG_S.get(postures(mark.label)[0].viseme, _OTHER_LAG_S)
        earliest = begins[-1] + _SHORTEST_S if begins else 0.0
        begins.append(min(max(begin, earliest), mark.time_s))
    return begins


def _end(mark: _Mark, begin: float, following: float, is_quiet: Bool[np.ndarray, " hops"]) -> float:
    """Return where a sound ends: at the next one, unless a pause comes between."""
    is_vowel = postures(mark.label)[-1].is_vowel
    end = begin + (_LONGEST_VOWEL_S if is_vowel else _LONGEST_CONSONANT_S)
    first, last = round(mark.time_s * _LEVEL_RATE), round(following * _LEVEL_RATE)
    bounds = np.flatnonzero(np.diff(is_quiet[first:last], prepend=False, append=False))
    for start, stop in bounds.reshape(-1, 2):
        if stop - start >= _PAUSE_S * _LEVEL_RATE:
            end = min(end, (first + int(start)) / _LEVEL_RATE)
            break
    return end if following - end >= _PAUSE_S else following


class HeardVisemes:
    """Animates by rules speech whose phones nobody knows: it hears them and the pitch first.

    Args:
        recognizer: Hears phones where a speech has none.
        animator: Moves the face to phones.
    """

    def __init__(self, recognizer: PhoneRecognizer, animator: VisemeAnimator) -> None:
        self._recognizer = recognizer
        self._animator = animator

    @property
    def fingerprint(self) -> str:
        """The recogniser's and the rules'."""
        return f"{self._recognizer.fingerprint} {self._animator.fingerprint}"

    @property
    def licence(self) -> str:
        """The terms on the recogniser."""
        return "Apache-2.0 (hama)"

    def load(self) -> None:
        """Do nothing: the recogniser is here."""

    def animate(
        self, utterances: Sequence[Utterance], speeches: Sequence[Speech], fps: float
    ) -> list[FaceMotion]:
        """Animate every speech, in order, at any frame rate."""
        return self._animator.animate(utterances, [self._heard(s) for s in speeches], fps)

    def _heard(self, speech: Speech) -> Speech:
        if speech.phones:
            return speech
        return replace(
            speech,
            phones=self._recognizer.hear(speech.waveform, speech.sample_rate),
            f0=track_pitch(speech.waveform, speech.sample_rate),
            f0_rate=PITCH_RATE,
        )
