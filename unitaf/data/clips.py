"""From recordings to clips: checked, cut, on one frame rate, with words, named by their content.

Conventions: a clip's sound is 16 bits at the recording's own rate; its curves are on the canonical
channels at the corpus's rate, frame i at i / fps from its first sample. A clip's key is a hash of
everything that features and training see of it, so the same content has the same key wherever it
came from.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float32

from unitaf import timing
from unitaf.audio import decode_audio, encode_audio
from unitaf.config import ClipsConfig
from unitaf.data.checks import canonical, check_curves, check_movement, check_sound
from unitaf.data.pauses import Piece, cut, find_pauses, is_active, levels_db
from unitaf.data.reading import Capture
from unitaf.data.recordings import Recording, Refusal
from unitaf.data.words import share_words
from unitaf.errors import InputError
from unitaf.types import NEUTRAL, Emotion, Utterance

if TYPE_CHECKING:
    from unitaf.data.transcription import Transcriber

KEY_VERSION = 1
"""Part of every clip key: raise it when the same recording begins to give other clips."""

AUDIO_FORMAT = "flac"


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One stretch of speech with the face that belongs to it."""

    key: str
    id: str
    """The recording's, with a number behind it if the recording was cut."""
    recording: str
    start_s: float
    """Where it begins in the recording."""
    split: str
    speaker: str
    language: str
    text: str
    text_source: str
    """``given`` or ``transcribed``."""
    emotion: Emotion
    audio: bytes
    """A FLAC file."""
    sample_rate: int
    num_samples: int
    curves: Float32[np.ndarray, "frames 61"]
    channels: tuple[str, ...]
    """The canonical channels that the capture has; the others stand at 0 and mean nothing."""
    fps: float
    emotion_source: str = "tags"
    """``tags`` of the source, neutral where it has none; or the ``recording`` itself."""

    @property
    def utterance(self) -> Utterance:
        """What is said in it, for a text-to-speech engine."""
        return Utterance(self.key, self.text, self.language, self.speaker, self.emotion)

    @property
    def recorded(self) -> Utterance:
        """What is said in it, for an engine that reads its sound.

        An emotion that was heard in the sound is in it: named again it would count twice.
        """
        is_heard = self.emotion_source == "recording"
        return replace(self.utterance, emotion=NEUTRAL) if is_heard else self.utterance

    def waveform(self) -> Float32[np.ndarray, " samples"]:
        """Decode the sound."""
        return decode_audio(self.audio)[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A recording whose files fit together."""

    recording: Recording
    capture: Capture
    curves: Float32[np.ndarray, "frames 61"]
    channels: tuple[str, ...]
    pieces: list[Piece]
    split: str


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The sound and the curves of a clip."""

    start_s: float
    waveform: Float32[np.ndarray, " samples"]
    curves: Float32[np.ndarray, "frames 61"]


class EmotionListener(Protocol):
    """Hears with which emotion something is said."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same sound of the same voice could have another emotion."""
        ...

    def voice_of(self, speaker: str) -> str:
        """Return what else the emotion of a speaker's recordings depends on."""
        ...

    def hear(
        self, utterance: Utterance, waveform: Float32[np.ndarray, " samples"], sample_rate: int
    ) -> Emotion:
        """Return the emotion of a recording.

        Raises:
            InputError: If that of its speaker cannot be told.
        """
        ...


class ClipMaker:
    """Makes the clips of recordings.

    Args:
        rules: What a clip must be.
        transcriber: Writes down what nobody has; None if every recording has words and needs no
            cutting.
        listener: Hears the emotion of clips for which the source names none; None if they are
            neutral.
    """

    def __init__(
        self,
        rules: ClipsConfig,
        transcriber: "Transcriber | None",
        listener: EmotionListener | None = None,
    ) -> None:
        self._rules = rules
        self._transcriber = transcriber
        self._listener = listener

    def make(self, recording: Recording, capture: Capture) -> Iterator[Clip | Refusal]:
        """Make every clip of a recording, or say why there is none."""
        try:
            prepared = self._prepare(recording, capture)
            parts = [self._part(prepared, piece) for piece in prepared.pieces]
            texts = self._texts(prepared, parts)
        except InputError as error:
            yield Refusal(recording.id, error.column, error.reason)
            return
        for number, (part, text) in enumerate(zip(parts, texts, strict=True)):
            name = recording.id if len(texts) == 1 else f"{recording.id}#{number}"
            made = self._clip(name, prepared, part, text)
            if isinstance(made, InputError):
                yield Refusal(name, made.column, made.reason)
            else:
                yield made

    def _prepare(self, recording: Recording, capture: Capture) -> _Prepared:
        rules, motion = self._rules, capture.motion
        curves, channels = canonical(recording.id, motion)
        sound_s = len(capture.waveform) / capture.sample_rate
        face_s = len(curves) / motion.fps
        if abs(sound_s - face_s) > rules.max_difference_s:
            reason = f"the audio lasts {sound_s:.2f} s and the curves {face_s:.2f} s"
            raise InputError(recording.id, reason, column="lengths differ")
        levels = levels_db(capture.waveform, capture.sample_rate)
        pauses = find_pauses(is_active(levels), rules.pause_s)
        both_s = min(sound_s, face_s)
        return _Prepared(
            recording=recording,
            capture=capture,
            curves=curves,
            channels=tuple(channels),
            pieces=cut(both_s, pauses, rules.shortest_s, rules.longest_s),
            split=recording.split or self._split(capture.text.casefold() or recording.id),
        )

    def _part(self, prepared: _Prepared, piece: Piece) -> _Part | InputError:
        """Return the sound and the curves of a piece, or why it cannot be used."""
        name, rate, rules = prepared.recording.id, prepared.capture.sample_rate, self._rules
        try:
            if not piece.is_whole:
                reason = f"{piece.duration_s:.1f} s from {piece.start_s:.1f} s on have no pause"
                raise InputError(name, reason, column="no pause")
            if piece.duration_s < rules.shortest_s:
                raise InputError(name, f"it lasts {piece.duration_s:.2f} s", column="too short")
            waveform = _samples(prepared.capture, piece)
            levels = levels_db(waveform, rate)
            check_sound(name, waveform, levels, rules.max_clipped_fraction)
            start_s = timing.num_samples(piece.start_s, rate) / rate
            frames = timing.num_frames(len(waveform), rate, rules.fps)
            times = start_s + timing.frame_times(frames, rules.fps)
            curves = timing.resample_linear(prepared.curves, prepared.capture.motion.fps, times)
            curves = check_curves(name, curves, rules.tolerance)
            check_movement(name, curves, rules.fps, is_active(levels), rules.max_frozen_s)
        except InputError as error:
            return error
        return _Part(start_s, waveform, curves)

    def _texts(
        self, prepared: _Prepared, parts: Sequence[_Part | InputError]
    ) -> list[str | InputError]:
        """Return what every piece says, or why nobody can tell."""
        text, name = prepared.capture.text, prepared.recording.id
        if text and len(parts) == 1:
            return [text]
        if self._transcriber is None:
            end_s = prepared.pieces[-1].end_s
            what = f"lasts {end_s:.0f} s and must be cut" if text else "has no text"
            reason = f"the recording {what}, for which a transcriber is needed"
            raise InputError(name, reason, column="no transcriber")
        heard: list[str | InputError] = []
        for piece, part in zip(prepared.pieces, parts, strict=True):
            # To share a text out, what a piece says must be known although it cannot be used.
            is_needed = bool(text) or isinstance(part, _Part)
            heard.append(self._hear(self._transcriber, prepared, piece) if is_needed else "")
        if not text:
            return heard
        try:
            return [*share_words(text, [one if isinstance(one, str) else "" for one in heard])]
        except ValueError as error:
            raise InputError(name, str(error), column="other words") from error

    def _hear(self, ears: "Transcriber", prepared: _Prepared, piece: Piece) -> str | InputError:
        name, language = prepared.recording.id, prepared.recording.language
        waveform = _samples(prepared.capture, piece)
        try:
            return ears.transcribe(name, waveform, prepared.capture.sample_rate, language)
        except InputError as error:
            return error

    def _clip(
        self, name: str, prepared: _Prepared, part: _Part | InputError, text: str | InputError
    ) -> Clip | InputError:
        if isinstance(part, InputError):
            return part
        if isinstance(text, InputError):
            return text
        if not text:
            return InputError(name, "none of the words are said in it", column="other words")
        recording, rate = prepared.recording, prepared.capture.sample_rate
        clip = Clip(
            key="",
            id=name,
            recording=recording.id,
            start_s=part.start_s,
            split=prepared.split,
            speaker=recording.speaker,
            language=recording.language,
            text=text,
            text_source="given" if prepared.capture.text else "transcribed",
            emotion=recording.emotion,
            audio=encode_audio(part.waveform, rate, AUDIO_FORMAT),
            sample_rate=rate,
            num_samples=len(part.waveform),
            curves=part.curves,
            channels=prepared.channels,
            fps=self._rules.fps,
        )
        try:
            clip = self._with_emotion(clip)
        except InputError as error:
            return error
        return replace(clip, key=clip_key(clip))

    def _with_emotion(self, clip: Clip) -> Clip:
        if self._listener is None or any(clip.emotion):
            return clip
        emotion = self._listener.hear(clip.utterance, clip.waveform(), clip.sample_rate)
        return replace(clip, emotion=emotion, emotion_source="recording")

    def _split(self, group: str) -> str:
        """Return the split of everything that says the same, or comes from the same recording."""
        share = int(hashlib.sha256(group.encode()).hexdigest()[:13], 16) / 16**13
        if share < self._rules.val_share:
            return "val"
        return "test" if share < self._rules.val_share + self._rules.test_share else "train"


def clip_key(clip: Clip) -> str:
    """Return the key of a clip: 32 hex digits that stand for its content."""
    facts = [
        KEY_VERSION,
        clip.sample_rate,
        clip.fps,
        clip.channels,
        clip.text,
        clip.language,
        clip.emotion,
    ]
    if clip.recorded != clip.utterance:
        facts.append(clip.recorded.emotion)
    digest = hashlib.sha256(json.dumps(facts).encode())
    samples, _ = decode_audio(clip.audio)
    digest.update(np.rint(samples * 32768).astype("<i2").tobytes())
    digest.update(np.ascontiguousarray(clip.curves, "<f4").tobytes())
    return digest.hexdigest()[:32]


def _samples(capture: Capture, piece: Piece) -> Float32[np.ndarray, " samples"]:
    rate = capture.sample_rate
    start, end = (timing.num_samples(time, rate) for time in (piece.start_s, piece.end_s))
    return capture.waveform[start:end]
