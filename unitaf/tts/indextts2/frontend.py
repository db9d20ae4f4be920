"""Clips to what the networks read: sample rates, mel spectrogram, filter bank.

Three ways lead from a file to 16 kHz and give different signals. The reference uses one for the
speaker, one for the emotion, and one for recordings to learn from.

Conventions: waveforms are mono; voices are cut to 15 seconds.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import soxr
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from unitaf import audio, timing

SPEECH_RATE = 16000
MEL_RATE = 22050
HOP = 256

_TRAINING_RATE = 24000
LONGEST_S = 15
_FFT = 1024
_NUM_MELS = 80
_MAGNITUDE_FLOOR = 1e-9
_MEL_FLOOR = 1e-5
_FRAME, _FRAME_STEP, _FRAME_FFT = 400, 160, 512
_PREEMPHASIS = 0.97
_FBANK_FLOOR = float(np.finfo(np.float32).eps)

Waveform = Float32[np.ndarray, " _"]


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerAudio:
    """A reference clip at the two rates that are needed."""

    at_mel_rate: Waveform
    at_speech_rate: Waveform


def speaker_audio(waveform: Waveform, sample_rate: int) -> SpeakerAudio:
    """Prepare a clip as speaker reference: to 22.05 kHz, from there to 16 kHz."""
    clip = _soxr(waveform, sample_rate, MEL_RATE)[: LONGEST_S * MEL_RATE]
    return SpeakerAudio(clip, _sinc(clip, MEL_RATE, SPEECH_RATE))


def emotion_audio(waveform: Waveform, sample_rate: int) -> Waveform:
    """Prepare a clip as emotion reference: straight to 16 kHz."""
    return _soxr(waveform, sample_rate, SPEECH_RATE)[: LONGEST_S * SPEECH_RATE]


def recording_audio(waveform: Waveform, sample_rate: int) -> Waveform:
    """Prepare a recording to learn from: over 24 kHz to 16 kHz, at its whole length."""
    at_training_rate = _sinc(waveform, sample_rate, _TRAINING_RATE)
    return _sinc(at_training_rate, _TRAINING_RATE, SPEECH_RATE)


def log_mel(waveform: Waveform) -> Float32[Tensor, "mels frames"]:
    """Return the natural log mel magnitudes of a clip at 22.05 kHz, a frame for 256 samples."""
    samples = torch.from_numpy(np.ascontiguousarray(waveform))
    padding = (_FFT - HOP) // 2
    padded = functional.pad(samples[None], (padding, padding), mode="reflect")
    window = torch.hann_window(_FFT)
    spectrum = torch.stft(padded, _FFT, HOP, window=window, center=False, return_complex=True)[0]
    magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + _MAGNITUDE_FLOOR)
    return (_mel_filters() @ magnitude).clamp(min=_MEL_FLOOR).log()


def style_fbank(waveform: Waveform) -> Float32[Tensor, "steps bins"]:
    """Return the log filter bank of a clip at 16 kHz less its mean over time."""
    fbank = kaldi_fbank(waveform)
    return fbank - fbank.mean(dim=0)


def kaldi_fbank(waveform: Waveform) -> Float32[Tensor, "steps bins"]:
    """Return the log filter bank of a clip at 16 kHz as Kaldi computes it, without dither."""
    samples = torch.from_numpy(np.ascontiguousarray(waveform))
    frames = samples.unfold(0, _FRAME, _FRAME_STEP)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = functional.pad(frames[None], (1, 0), mode="replicate")[0, :, :-1]
    povey = torch.hann_window(_FRAME, periodic=False).pow(0.85)
    windowed = (frames - _PREEMPHASIS * before) * povey
    power = torch.fft.rfft(windowed, n=_FRAME_FFT).abs().square()
    fbank: Tensor = (power @ _kaldi_filters()).clamp(min=_FBANK_FLOOR).log()
    return fbank


def _soxr(waveform: Waveform, sample_rate: int, new_rate: int) -> Waveform:
    """Resample with the SoX resampler in high quality, as librosa does."""
    if sample_rate == new_rate:
        return waveform
    resampled = soxr.resample(waveform, sample_rate, new_rate, quality="HQ")
    length = timing.resampled_length(len(waveform), sample_rate, new_rate)
    padded = np.zeros(length, np.float32)
    padded[: len(resampled)] = resampled[:length]
    return padded


def _sinc(waveform: Waveform, sample_rate: int, new_rate: int) -> Waveform:
    """Resample by windowed sinc in double precision, which the logarithm of faint speech shows."""
    if sample_rate == new_rate:
        return waveform
    samples = torch.from_numpy(waveform).double()
    resampled: Tensor = audio.torchaudio_functional().resample(samples, sample_rate, new_rate)
    return resampled.float().numpy()


def _audio_utils() -> Any:
    audio.torchaudio_functional()  # transformers imports torchaudio, which would fail on a CPU.
    from transformers import audio_utils

    return audio_utils


@cache
def _mel_filters() -> Float32[Tensor, "mels bins"]:
    filters = _audio_utils().mel_filter_bank(
        num_frequency_bins=_FFT // 2 + 1,
        num_mel_filters=_NUM_MELS,
        min_frequency=0.0,
        max_frequency=MEL_RATE / 2,
        sampling_rate=MEL_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters.T.astype(np.float32))


@cache
def _kaldi_filters() -> Float32[Tensor, "bins mels"]:
    filters = _audio_utils().mel_filter_bank(
        num_frequency_bins=_FRAME_FFT // 2 + 1,
        num_mel_filters=_NUM_MELS,
        min_frequency=20.0,
        max_frequency=SPEECH_RATE / 2,
        sampling_rate=SPEECH_RATE,
        norm=None,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return torch.from_numpy(filters.astype(np.float32))
