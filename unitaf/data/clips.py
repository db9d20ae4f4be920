"""From recordings to clips: checked, cut, on one frame rate, with words, named by their content.

Conventions: a clip's sound is 16 bits at the recording's own rate; its curves are on the canonical
channels at the corpus's rate, frame i at i / fps from its first sample. A clip's key is a hash of
everything that features and training see of it, so the same content has the same key wherever it
came from.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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
from unitaf.types import Emotion, Utterance

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

    @property
    def utterance(self) -> Utterance:
        """What is said in it, for a text-to-speech engine."""
        return Utterance(self.key, self.text, self.language, self.speaker, self.emotion)

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


class ClipMaker:
    """Makes the clips of recordings.

    Args:
        rules: What a clip must be.
        transcriber: Writes down what nobody has; None if every recording has words and needs no
            cutting.
    """

    def __init__(self, rules: ClipsConfig, transcriber: "Transcriber | None") -> None:
        self._rules = rules
        self._transcriber = transcriber

    def make(self, recording: Recording, capture: Capture) -> Iterator[Clip | Refusal]:
        """Make every clip of a recording, or say why there is none."""
        try:
            prepared = self._prepare(recording, capture)
            texts = self._texts(prepared)
        except InputError as error:
            yield Refusal(recording.id, error.column, error.reason)
            return
        for number, (piece, text) in enumerate(zip(prepared.pieces, texts, strict=True)):
            name = recording.id if len(texts) == 1 else f"{recording.id}#{number}"
            try:
                yield self._clip(name, prepared, piece, text)
            except InputError as error:
                yield Refusal(name, error.column, error.reason)

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

    def _texts(self, prepared: _Prepared) -> list[str | InputError]:
        """Return what every piece says, or why nobody can tell."""
        text, pieces, name = prepared.capture.text, prepared.pieces, prepared.recording.id
        if text and len(pieces) == 1:
            return [text]
        if self._transcriber is None:
            what = f"lasts {pieces[-1].end_s:.0f} s and must be cut" if text else "has no text"
            reason = f"the recording {what}, for which a transcriber is needed"
            raise InputError(name, reason, column="no transcriber")
        heard = [self._hear(self._transcriber, prepared, piece) for piece in pieces]
        if not text:
            return heard
        try:
            return [*share_words(text, [one if isinstance(one, str) else "" for one in heard])]
        except ValueError as error:
            raise InputError(name, str(error), column="other words") from error

    def _hear(self, ears: "Transcriber", prepared: _Prepared, piece: Piece) -> str | InputError:
        name, language = prepared.recording.id, prepared.recording.language
        waveform = _samples(prepared.capture, piece)
        rate = prepared.capture.sample_rate
        try:
            check_sound(name, waveform, levels_db(waveform, rate), 1.0)
            return ears.transcribe(name, waveform, rate, language)
        except InputError as error:
            return error

    def _clip(self, name: str, prepared: _Prepared, piece: Piece, text: str | InputError) -> Clip:
        capture, rules, recording = prepared.capture, self._rules, prepared.recording
        waveform = self._checked_sound(name, capture, piece)
        if isinstance(text, InputError):
            raise text
        if not text:
            raise InputError(name, "none of the words are said in it", column="other words")
        clip = Clip(
            key="",
            id=name,
            recording=recording.id,
            start_s=timing.num_samples(piece.start_s, capture.sample_rate) / capture.sample_rate,
            split=prepared.split,
            speaker=recording.speaker,
            language=recording.language,
            text=text,
            text_source="given" if capture.text else "transcribed",
            emotion=recording.emotion,
            audio=encode_audio(waveform, capture.sample_rate, AUDIO_FORMAT),
            sample_rate=capture.sample_rate,
            num_samples=len(waveform),
            curves=self._checked_curves(name, prepared, piece, waveform),
            channels=prepared.channels,
            fps=rules.fps,
        )
        return replace(clip, key=clip_key(clip))

    def _checked_sound(
        self, name: str, capture: Capture, piece: Piece
    ) -> Float32[np.ndarray, " samples"]:
        rules = self._rules
        if not piece.is_whole:
            reason = f"{piece.duration_s:.1f} s from {piece.start_s:.1f} s on have no pause"
            raise InputError(name, reason, column="no pause")
        if piece.duration_s < rules.shortest_s:
            raise InputError(name, f"it lasts {piece.duration_s:.2f} s", column="too short")
        waveform = _samples(capture, piece)
        levels = levels_db(waveform, capture.sample_rate)
        check_sound(name, waveform, levels, rules.max_clipped_fraction)
        return waveform

    def _checked_curves(
        self,
        name: str,
        prepared: _Prepared,
        piece: Piece,
        waveform: Float32[np.ndarray, " samples"],
    ) -> Float32[np.ndarray, "frames 61"]:
        rules, rate = self._rules, prepared.capture.sample_rate
        frames = timing.num_frames(len(waveform), rate, rules.fps)
        start_s = timing.num_samples(piece.start_s, rate) / rate
        times = start_s + timing.frame_times(frames, rules.fps)
        curves = timing.resample_linear(prepared.curves, prepared.capture.motion.fps, times)
        curves = check_curves(name, curves, rules.tolerance)
        active = is_active(levels_db(waveform, rate))
        check_movement(name, curves, rules.fps, active, rules.max_frozen_s)
        return curves

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
    digest = hashlib.sha256(json.dumps(facts).encode())
    samples, _ = decode_audio(clip.audio)
    digest.update(np.rint(samples * 32768).astype("<i2").tobytes())
    digest.update(np.ascontiguousarray(clip.curves, "<f4").tobytes())
    return digest.hexdigest()[:32]


def _samples(capture: Capture, piece: Piece) -> Float32[np.ndarray, " samples"]:
    rate = capture.sample_rate
    start, end = (timing.num_samples(time, rate) for time in (piece.start_s, piece.end_s))
    return capture.waveform[start:end]
