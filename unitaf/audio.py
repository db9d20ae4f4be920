"""Audio files and sample rates: how audio is read, written and resampled.

Conventions: a waveform is mono float32 in -1..1, full scale is 1. 16-bit samples are read as
``value / 32768`` and written as ``round(value * 32768)``, halves to even, clipped to what 16 bits
hold, so what was read is written back bit for bit. Reading a file that is not usable audio is a
``ValueError`` with the reason; who called knows which line or setting it belongs to.
"""

import io
import struct
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Float32

from unitaf import timing

FORMATS = ("wav", "flac")
"""The file formats of takes: 16 bits, lossless, the same bytes for the same samples."""

LOSSY_FORMATS = {"ogg": "VORBIS", "opus": "OPUS"}
"""What else can be written, for deliveries, to the codec in the Ogg file."""

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
"""The sample rates of Opus, in Hz."""

_FULL_SCALE = 32768
_FLAC_LEVEL = 0.0
"""The fastest: for speech the files are hardly larger than at libsndfile's own level."""
_MAX_CHANNELS = 2
"""More are stems or a surround mix, not a voice."""
_LOSSY_BLOCK = 16384
"""libvorbis holds what it is given on the stack and crashes with a few minutes at once."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def read_audio(path: str | Path) -> tuple[Float32[np.ndarray, " samples"], int]:
    """Read an audio file of any format that libsndfile knows, mixed down to mono.

    Returns:
        The waveform, and its sample rate in Hz; see `decode_audio`.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not usable audio; names the file.
    """
    try:
        return decode_audio(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def decode_audio(data: bytes) -> tuple[Float32[np.ndarray, " samples"], int]:
    """Read an audio file held in memory.

    Returns:
        The waveform, and its sample rate in Hz. The channels of stereo are averaged. A file of
        floats may hold values beyond full scale; they are kept.

    Raises:
        ValueError: If the data is empty or no audio file, or has no samples, samples that are not
            finite, or more than two channels.
    """
    if not data:
        raise ValueError("the audio file is empty")
    try:
        samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"not an audio file that can be read: {error.error_string}") from error
    if len(samples) == 0:
        raise ValueError("the audio file has no samples")
    if not np.isfinite(samples).all():
        raise ValueError("the audio file has samples that are not finite numbers")
    if samples.shape[1] > _MAX_CHANNELS:
        raise ValueError(f"the audio file has {samples.shape[1]} channels; give mono or stereo")
    waveform = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return np.ascontiguousarray(waveform, dtype=np.float32), int(sample_rate)


def encode_audio(
    waveform: Float32[np.ndarray, " samples"], sample_rate: int, audio_format: str
) -> bytes:
    """Write a waveform as a 16-bit audio file in memory.

    Args:
        waveform: Clipped to full scale.
        sample_rate: Hz.
        audio_format: One of `FORMATS`.

    Raises:
        ValueError: If the format is unknown or a sample is not finite.
    """
    if audio_format not in FORMATS:
        raise ValueError(f"audio_format must be one of {', '.join(FORMATS)}, not {audio_format!r}")
    if not np.isfinite(waveform).all():
        raise ValueError("cannot write samples that are not finite numbers")
    # Exact in float32: a power of two.
    scaled = np.rint(np.asarray(waveform, np.float32) * np.float32(_FULL_SCALE))
    samples = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(
        file,
        samples,
        sample_rate,
        format=audio_format.upper(),
        subtype="PCM_16",
        compression_level=_FLAC_LEVEL if audio_format == "flac" else None,
    )
    return file.getvalue()


def encode_lossy(
    waveform: Float32[np.ndarray, " samples"], sample_rate: int, audio_format: str
) -> bytes:
    """Write a waveform as an Ogg file in memory: as many samples come back, at the same times.

    Vorbis and Opus at libsndfile's usual quality. An Ogg stream has a random number of its own;
    it is set to 0, so that the same samples give the same bytes.

    Args:
        waveform: At least one sample.
        sample_rate: Hz; for Opus one of `OPUS_RATES`.
        audio_format: One of `LOSSY_FORMATS`.

    Raises:
        ValueError: If the format is unknown or cannot have this rate, or a sample is not finite.
    """
    if audio_format not in LOSSY_FORMATS:
        formats = ", ".join(LOSSY_FORMATS)
        raise ValueError(f"audio_format must be one of {formats}, not {audio_format!r}")
    if audio_format == "opus" and sample_rate not in OPUS_RATES:
        rates = ", ".join(map(str, OPUS_RATES))
        raise ValueError(f"Opus has sample rates of {rates} Hz, not {sample_rate}")
    if not np.isfinite(waveform).all():
        raise ValueError("cannot write samples that are not finite numbers")
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", sample_rate, 1, format="OGG", subtype=LOSSY_FORMATS[audio_format]
    ) as writer:
        for start in range(0, len(waveform), _LOSSY_BLOCK):
            writer.write(waveform[start : start + _LOSSY_BLOCK])
    return _without_serial(file.getvalue())


def _without_serial(data: bytes) -> bytes:
    """Return an Ogg file with the serial number 0 in every page (RFC 3533, section 6)."""
    pages = []
    start = 0
    while start < len(data):
        num_segments = data[start + 26]
        segments = data[start + 27 : start + 27 + num_segments]
        stop = start + 27 + num_segments + sum(segments)
        page = bytearray(data[start:stop])
        page[14:18] = page[22:26] = bytes(4)
        struct.pack_into("<I", page, 22, _ogg_checksum(bytes(page)))
        pages.append(bytes(page))
        start = stop
    return b"".join(pages)


def _ogg_checksum(page: bytes) -> int:
    """Return Ogg's CRC-32, which is zlib's read from the other end of the bits, from 0 to 0."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def resample(
    waveform: Float32[np.ndarray, " samples"], sample_rate: int, new_rate: int
) -> Float32[np.ndarray, " resampled"]:
    """Return a waveform at another sample rate, band-limited, sample 0 still at time 0.

    Windowed-sinc interpolation with torchaudio's default Hann window, which speech encoders were
    trained with.

    Args:
        waveform: Any length, 0 included.
        sample_rate: Hz of the waveform.
        new_rate: Hz of the result, which has `timing.resampled_length` samples.
    """
    if sample_rate == new_rate or len(waveform) == 0:
        return waveform
    import torch

    samples = torch.from_numpy(np.ascontiguousarray(waveform))
    resampled = torchaudio_functional().resample(samples, sample_rate, new_rate)
    length = timing.resampled_length(len(waveform), sample_rate, new_rate)
    return np.asarray(resampled.numpy()[:length], dtype=np.float32)


def torchaudio_functional() -> Any:
    """Load torchaudio when it is first used: reading and writing files does not need torch.

    torchaudio 2.11 is linked against CUDA and cannot load its native library beside a CPU build of
    torch. What is used here is written in Python, so there its loader is given a stand-in.
    """
    import torch

    loader = "torchaudio._extension.utils"
    if torch.version.cuda is None and loader not in sys.modules:
        stand_in: Any = types.ModuleType(loader)
        stand_in._load_lib = lambda _: False
        stand_in._check_cuda_version = lambda: None
        stand_in._init_dll_path = lambda: None
        stand_in._LazyImporter = types.ModuleType
        sys.modules[loader] = stand_in
    import torchaudio.functional

    return torchaudio.functional
