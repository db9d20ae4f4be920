"""A folder as IndexTTS2 is published, with random weights of the published sizes.

The position table ends every segment after a given number of codes: a position that far out drowns
everything else in the state, and the head answers it with the code that ends a line.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer
from torch import Tensor

from unitaf.tts.indextts2 import files
from unitaf.tts.indextts2.decoding import SKIPPED_POSITION
from unitaf.tts.indextts2.files import PublishedFile
from unitaf.tts.indextts2.loading import WEIGHTS, ModelSizes, needed_shapes
from unitaf.tts.indextts2.sizes import ConditioningSizes

_TABLES = (files.SPEECH_STATISTICS, files.EMOTION_STYLES, files.EMOTION_VECTORS)
_LOUD, _SURE = 300.0, 10.0
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORDS_A_PIECE = 3


def write_model(folder: Path, sizes: ModelSizes, num_codes: int) -> None:
    """Write every file that a model needs.

    Args:
        folder: Is there already.
        sizes: Of the networks.
        num_codes: After so many codes every segment ends.
    """
    for file in files.FILES:
        (folder / file.name).parent.mkdir(exist_ok=True)
    write_settings(folder, sizes)
    _write_tokeniser(folder / files.TOKENISER.name, sizes.gpt.num_text_ids)
    random = torch.Generator().manual_seed(0)
    for file in (*WEIGHTS, *_TABLES):
        shapes = needed_shapes(file, sizes)
        weights = {key: _weight(key, shape, random) for key, shape in shapes.items()}
        if file is files.GPT:
            _end_after(weights, sizes.gpt.stop_code, num_codes)
        _save(folder, file, weights)


def _weight(key: str, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    name = key.rpartition(".")[2]
    if name == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    if len(shape) > 1:
        return torch.randn(shape, generator=random) / math.sqrt(math.prod(shape[1:]))
    is_one = name in ("weight", "gamma", "var", "running_var")
    return torch.ones(shape) if is_one else torch.zeros(shape)


def _end_after(weights: dict[str, Tensor], stop_code: int, num_codes: int) -> None:
    positions = weights["mel_pos_embedding.emb.weight"]
    width = positions.shape[1]
    loud = torch.ones(width)
    loud[::2] = -1.0
    positions[num_codes + SKIPPED_POSITION - 1 :] = _LOUD * loud
    weights["mel_head.weight"][stop_code] = _SURE * loud / math.sqrt(width)
    weights["mel_head.bias"][stop_code] = -0.5 * _SURE * math.sqrt(width)


def _save(folder: Path, file: PublishedFile, weights: dict[str, Tensor]) -> None:
    path = folder / file.name
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights.get("tensor", weights), path)


def write_settings(folder: Path, sizes: ModelSizes) -> None:
    """Write the published configurations of networks of some sizes."""
    gpt, codec, s2mel = sizes.gpt, sizes.codec, sizes.s2mel
    config = {
        "version": 2.0,
        "gpt": {
            "model_dim": gpt.width,
            "layers": gpt.layers,
            "heads": gpt.heads,
            "max_mel_tokens": gpt.max_codes,
            "max_text_tokens": gpt.max_text_ids,
            "number_text_tokens": gpt.num_text_ids,
            "number_mel_codes": gpt.num_codes,
            "start_mel_token": gpt.start_code,
            "stop_mel_token": gpt.stop_code,
            "start_text_token": gpt.start_text,
            "stop_text_token": gpt.stop_text,
            "condition_module": _conditioning(gpt.speaker),
            "emo_condition_module": _conditioning(gpt.emotion),
        },
        "semantic_codec": {
            "codebook_size": codec.num_codes,
            "codebook_dim": codec.code_dim,
            "vocos_dim": codec.width,
            "vocos_intermediate_dim": codec.feed_forward,
            "vocos_num_layers": codec.layers,
        },
        "s2mel": {
            "style_encoder": {"dim": s2mel.style_dim},
            "length_regulator": {"channels": s2mel.content_dim},
            "DiT": {
                "hidden_dim": s2mel.width,
                "num_heads": s2mel.heads,
                "depth": s2mel.layers,
                "in_channels": s2mel.num_mels,
            },
            "wavenet": {
                "num_layers": s2mel.wavenet_layers,
                "kernel_size": s2mel.wavenet_kernel,
            },
        },
    }
    (folder / files.CONFIG.name).write_text(yaml.safe_dump(config))
    encoder, vocoder = sizes.speech_encoder, asdict(sizes.vocoder)
    names = {
        "num_mels": "num_mels",
        "width": "upsample_initial_channel",
        "rates": "upsample_rates",
        "kernels": "upsample_kernel_sizes",
        "block_kernels": "resblock_kernel_sizes",
        "block_dilations": "resblock_dilation_sizes",
    }
    speech = {
        "hidden_size": encoder.width,
        "intermediate_size": encoder.feed_forward,
        "num_attention_heads": encoder.heads,
        "num_hidden_layers": encoder.layers,
    }
    (folder / files.SPEECH_ENCODER_CONFIG.name).write_text(json.dumps(speech))
    published = {name: vocoder[ours] for ours, name in names.items()}
    (folder / files.VOCODER_CONFIG.name).write_text(json.dumps(published))


def _conditioning(sizes: ConditioningSizes) -> dict[str, float]:
    return {
        "output_size": sizes.width,
        "linear_units": sizes.feed_forward,
        "attention_heads": sizes.heads,
        "num_blocks": sizes.layers,
        "perceiver_mult": sizes.perceiver_mult,
    }


def _write_tokeniser(path: Path, num_pieces: int) -> None:
    """Write a tokeniser of made-up words."""
    random = torch.Generator().manual_seed(0)
    count = _WORDS_A_PIECE * num_pieces
    lengths = torch.randint(2, 9, (count,), generator=random).tolist()
    words = [
        "".join(_LETTERS[i] for i in torch.randint(26, (n,), generator=random)) for n in lengths
    ]
    SentencePieceTrainer.train(
        sentence_iterator=(
            " ".join(words[i : i + 10]) + " , . ! ?" for i in range(0, len(words), 10)
        ),
        model_prefix=str(path.with_suffix("")),
        model_type="bpe",
        vocab_size=num_pieces,
        bos_id=0,
        eos_id=1,
        unk_id=2,
        minloglevel=2,
    )
    path.with_suffix(".vocab").unlink()
