"""A take's audio as a file of its own."""

from unitaf.audio import encode_audio
from unitaf.types import Take


def encode_wav(take: Take, name: str) -> dict[str, bytes]:
    """Return the audio as 16 bit PCM WAV."""
    speech = take.speech
    return {f"{name}.wav": encode_audio(speech.waveform, speech.sample_rate, "wav")}
