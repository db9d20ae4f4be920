"""Audio files are read back by libsndfile, Ogg pages by the few lines of `ogg_pages`."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from tests.export.takes import RATE, make_take
from unitaf.audio import encode_lossy
from unitaf.export import FORMATS
from unitaf.export.sound import AUDIO_SUFFIXES, at_rate
from unitaf.types import Take


def sounding(duration_s: float = 0.7, click_s: float = 0.4) -> Take:
    """A take of a hum with a click in it."""
    take = make_take(duration_s=duration_s)
    times = np.arange(take.speech.num_samples) / RATE
    waveform = 0.05 * np.sin(2 * np.pi * 200 * times)
    waveform[round(click_s * RATE)] = 0.9
    return replace(take, speech=replace(take.speech, waveform=waveform.astype(np.float32)))


def ogg_pages(data: bytes) -> list[tuple[int, int]]:
    """Serial and sequence number of every page, each page's checksum proven bit by bit."""
    pages, at = [], 0
    while at < len(data):
        assert data[at : at + 4] == b"OggS"
        segments = data[at + 27 : at + 27 + data[at + 26]]
        page = bytearray(data[at : at + 27 + len(segments) + sum(segments)])
        (stated,) = struct.unpack_from("<I", page, 22)
        page[22:26] = bytes(4)
        checksum = 0
        for byte in page:
            checksum ^= byte << 24
            for _ in range(8):
                checksum = (checksum << 1 ^ 0x04C11DB7 if checksum >> 31 else checksum << 1) % 2**32
        assert checksum == stated
        pages.append(struct.unpack_from("<II", page, 14))
        at += len(page)
    return pages


@pytest.mark.parametrize("name", AUDIO_SUFFIXES)
@pytest.mark.parametrize("rate", [None, 16000, 44100, 48000])
def test_sound_comes_back_at_its_times(name: str, rate: int | None):
    if name == "opus" and rate == 44100:
        return
    take = sounding()
    encode = FORMATS[name] if rate is None else at_rate(FORMATS[name], rate)
    files = encode(take, "en/line")
    assert list(files) == [f"en/line{AUDIO_SUFFIXES[name]}"]
    samples, found = soundfile.read(io.BytesIO(*files.values()))
    rate = rate or RATE
    assert found == rate
    assert len(samples) == -(-take.speech.num_samples * rate // RATE)
    assert abs(int(np.abs(samples).argmax()) - 0.4 * rate) <= 1


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_lossless_files_hold_the_samples_bit_for_bit(name: str):
    take = sounding()
    (data,) = FORMATS[name](take, "a").values()
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    np.testing.assert_array_equal(samples, np.round(take.speech.waveform * 32768))


@pytest.mark.parametrize("name", ["ogg", "opus"])
def test_ogg_files_have_the_same_bytes_each_time(name: str):
    take = sounding()
    (data,) = FORMATS[name](take, "a").values()
    pages = ogg_pages(data)
    assert pages == [(0, sequence) for sequence in range(len(pages))]
    assert FORMATS[name](take, "b") == {f"b.{name}": data}


@pytest.mark.parametrize(("name", "duration_s"), [("ogg", 300), ("opus", 10)])
def test_a_long_speech_is_written(name: str, duration_s: int):
    samples = 24000 * duration_s + 7
    waveform = np.random.default_rng(0).normal(size=samples).astype(np.float32) * 0.01
    assert soundfile.info(io.BytesIO(encode_lossy(waveform, 24000, name))).frames == samples


def test_a_sound_that_cannot_be_written_is_refused():
    sound = np.zeros(10, np.float32)
    with pytest.raises(ValueError, match="8000, 12000, 16000, 24000, 48000 Hz, not 22050"):
        encode_lossy(sound, 22050, "opus")
    with pytest.raises(ValueError, match="must be one of ogg, opus, not 'mp3'"):
        encode_lossy(sound, 24000, "mp3")
    with pytest.raises(ValueError, match="not finite"):
        encode_lossy(sound + np.nan, 24000, "ogg")
