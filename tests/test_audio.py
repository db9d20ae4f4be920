"""Reading, writing and resampling audio."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from unitaf import timing
from unitaf.audio import FORMATS, decode_audio, encode_audio, read_audio, resample


def tone(hz: float, sample_rate: int, samples: int) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(samples) / sample_rate).astype(np.float32)


def wav_bytes(samples: np.ndarray, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV", subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("audio_format", FORMATS)
def test_what_was_read_is_written_back_bit_for_bit(audio_format: str) -> None:
    every_value = np.arange(-32768, 32768, dtype=np.int16)
    waveform, sample_rate = decode_audio(wav_bytes(every_value, "PCM_16"))
    assert sample_rate == 16000
    again, _ = decode_audio(encode_audio(waveform, sample_rate, audio_format))
    np.testing.assert_array_equal(again * 32768, every_value)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_same_samples_give_the_same_bytes(audio_format: str) -> None:
    waveform = tone(440, 24000, 5000)
    assert encode_audio(waveform, 24000, audio_format) == encode_audio(
        waveform.copy(), 24000, audio_format
    )


def test_written_wav_is_read_by_the_standard_library() -> None:
    import wave

    with wave.open(io.BytesIO(encode_audio(tone(440, 24000, 1234), 24000, "wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert (file.getframerate(), file.getnframes()) == (24000, 1234)


def test_samples_beyond_full_scale_are_clipped() -> None:
    waveform = np.array([2.0, -2.0, 1.0, -1.0], np.float32)
    written, _ = decode_audio(encode_audio(waveform, 16000, "wav"))
    np.testing.assert_array_equal(written * 32768, [32767, -32768, 32767, -32768])


@pytest.mark.parametrize("audio_format", ["mp3", "WAV", ""])
def test_unknown_format_is_refused(audio_format: str) -> None:
    with pytest.raises(ValueError, match="audio_format must be one of wav, flac"):
        encode_audio(np.zeros(10, np.float32), 16000, audio_format)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        encode_audio(np.array([0.0, value], np.float32), 16000, "wav")


def test_channels_are_averaged() -> None:
    stereo = np.array([[0.5, 0.25], [-0.5, 0.5], [0.0, 1.0]])
    waveform, _ = decode_audio(wav_bytes(stereo, "FLOAT"))
    np.testing.assert_allclose(waveform, [0.375, 0.0, 0.5], atol=1e-7)


def test_a_file_is_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    path.write_bytes(encode_audio(tone(100, 8000, 800), 8000, "flac"))
    waveform, sample_rate = read_audio(path)
    assert (len(waveform), sample_rate, waveform.dtype) == (800, 8000, np.float32)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not audio at all", "not an audio file"),
        (wav_bytes(np.zeros(0), "PCM_16"), "no samples"),
        (wav_bytes(np.array([0.0, np.nan]), "FLOAT"), "finite"),
        (wav_bytes(np.zeros((9, 8)), "PCM_16"), "8 channels"),
    ],
    ids=[
        "empty",
        "text",
        "no samples",
        "not finite",
        "many channels",
    ],  # Float files hold the time.
)
def test_unusable_files_are_named_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"broken.wav: .*{reason}"):
        read_audio(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.wav"):
        read_audio(tmp_path / "gone.wav")


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(0, 3000),
    rate=st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000]),
    new_rate=st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000]),
)
def test_resampling_never_gains_or_loses_a_sample(samples: int, rate: int, new_rate: int) -> None:
    resampled = resample(np.zeros(samples, np.float32), rate, new_rate)
    assert len(resampled) == timing.resampled_length(samples, rate, new_rate)


@pytest.mark.parametrize(("rate", "new_rate"), [(24000, 16000), (22050, 24000), (16000, 48000)])
def test_resampling_keeps_a_tone_in_place(rate: int, new_rate: int) -> None:
    resampled = resample(tone(440, rate, rate), rate, new_rate)
    expected = tone(440, new_rate, len(resampled))
    inner = slice(200, -200)
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=2e-3)


def test_resampling_removes_what_the_new_rate_cannot_hold() -> None:
    resampled = resample(tone(7000, 24000, 24000), 24000, 8000)
    assert np.abs(resampled[100:-100]).max() < 0.01
