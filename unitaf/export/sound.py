"""A take's audio as a file of its own: WAV and FLAC bit for bit, Ogg Vorbis and Opus for less.

Conventions: mono; sample 0 is at time 0 and the length is the take's, to the sample, in every
format. `at_rate` gives another sample rate on the same clock.
"""

from dataclasses import dataclass, replace

from unitaf.audio import OPUS_RATES, encode_audio, encode_lossy, resample
from unitaf.errors import InputError
from unitaf.export.encoder import Encoder
from unitaf.export.loudness import at_loudness
from unitaf.types import Take


@dataclass(frozen=True, slots=True)
class Level:
    """How loud lines are delivered."""

    lufs: float
    """Integrated loudness of every line (ITU-R BS.1770-4)."""
    peak_dbtp: float = -1.0
    """The highest true peak."""


AUDIO_SUFFIXES = {"wav": ".wav", "flac": ".flac", "ogg": ".ogg", "opus": ".opus"}
"""The formats that hold a take's audio, and how their files end."""


def encode_wav(take: Take, name: str) -> dict[str, bytes]:
    """Return the audio as 16 bit PCM WAV."""
    return {f"{name}.wav": encode_audio(take.speech.waveform, take.speech.sample_rate, "wav")}


def encode_flac(take: Take, name: str) -> dict[str, bytes]:
    """Return the audio as 16 bit FLAC."""
    return {f"{name}.flac": encode_audio(take.speech.waveform, take.speech.sample_rate, "flac")}


def encode_ogg(take: Take, name: str) -> dict[str, bytes]:
    """Return the audio as Ogg Vorbis."""
    return {f"{name}.ogg": encode_lossy(take.speech.waveform, take.speech.sample_rate, "ogg")}


def encode_opus(take: Take, name: str) -> dict[str, bytes]:
    """Return the audio as Ogg Opus.

    Raises:
        InputError: If the take has a sample rate that Opus does not.
    """
    if take.speech.sample_rate not in OPUS_RATES:
        rates = ", ".join(map(str, OPUS_RATES))
        reason = f"Opus has sample rates of {rates} Hz, not {take.speech.sample_rate}"
        raise InputError(take.utterance.id, reason)
    return {f"{name}.opus": encode_lossy(take.speech.waveform, take.speech.sample_rate, "opus")}


def at_rate(encode: Encoder, sample_rate: int) -> Encoder:
    """Return an encoder that brings takes to a sample rate, in Hz, first."""

    def encode_resampled(take: Take, name: str) -> dict[str, bytes]:
        speech = take.speech
        waveform = resample(speech.waveform, speech.sample_rate, sample_rate)
        return encode(
            replace(take, speech=replace(speech, waveform=waveform, sample_rate=sample_rate)), name
        )

    return encode_resampled


def at_level(encode: Encoder, level: Level) -> Encoder:
    """Return an encoder that brings takes to a loudness first."""

    def encode_levelled(take: Take, name: str) -> dict[str, bytes]:
        speech = take.speech
        waveform = at_loudness(speech.waveform, speech.sample_rate, level.lufs, level.peak_dbtp)
        return encode(replace(take, speech=replace(speech, waveform=waveform)), name)

    return encode_levelled
