"""A tiny IndexTTS2 with random weights in the published layout: a folder to load one from."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer
from torch import Tensor, nn

from tests.tts.indextts2 import tiny
from unitaf.tts.indextts2 import files
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.sizes import PUBLISHED_STYLE, ConditioningSizes

CORPUS = (
    "THE WIND WAITS FOR YOU, MY FRIEND.",
    "WHO GOES THERE? STOP! TELL THEM WE SAIL AT DAWN - QUICKLY.",
    "我 们 走 吧 !",
)


def write_model(folder: Path) -> Path:
    """Write every file that a model needs."""
    networks = tiny.networks()
    for file in files.FILES:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
    write_settings(folder)
    write_tokeniser(folder)
    gpt = {**networks.gpt.state_dict(), **networks.conditioner.state_dict()}
    gpt["conditioning_encoder.embed.pos_enc.pe"] = torch.zeros(1, 50, 16)
    torch.save({"model": gpt}, folder / files.GPT.name)
    parts = {
        name: normed(getattr(networks.s2mel, name), ["wavenet"])
        for name in ("cfm", "length_regulator", "gpt_layer")
    }
    parts["length_regulator"]["mask_token"] = torch.zeros(1, 16)
    torch.save({"net": parts, "iters": 7}, folder / files.S2MEL.name)
    encoder = networks.speech_encoder
    torch.save({"mean": encoder.mean, "var": encoder.var}, folder / files.SPEECH_STATISTICS.name)
    save_file(encoder.model.state_dict(), folder / files.SPEECH_ENCODER.name)
    codec = normed(networks.codec, ["in_project", "out_project"])
    save_file({**codec, "decoder.0.weight": torch.zeros(2)}, folder / files.CODEC.name)
    torch.save(networks.emotions.styles, folder / files.EMOTION_STYLES.name)
    torch.save(networks.emotions.vectors, folder / files.EMOTION_VECTORS.name)
    style = tiny.randomised(StyleEncoder(PUBLISHED_STYLE))
    torch.save(style.state_dict(), folder / files.STYLE_ENCODER.name)
    vocoder = normed(networks.vocoder, ["conv", "ups"])
    vocoder["activation_post.upsample.filter"] = torch.zeros(1, 1, 12)
    torch.save({"generator": vocoder}, folder / files.VOCODER.name)
    return folder


def normed(network: nn.Module, places: Iterable[str]) -> dict[str, Tensor]:
    """Return weights with those of convolutions in some places in two parts, as published."""
    weights: dict[str, Tensor] = {}
    for key, value in network.state_dict().items():
        is_normed = key.endswith("weight") and value.ndim == 3
        if is_normed and any(place in key for place in places):
            weights[f"{key}_v"] = value
            weights[f"{key}_g"] = value.flatten(1).norm(dim=1)[:, None, None]
        else:
            weights[key] = value
    return weights


def write_settings(folder: Path) -> None:
    gpt, s2mel, codec = tiny.GPT, tiny.S2MEL, tiny.CODEC
    config = {
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
            "condition_module": conditioning(gpt.speaker),
            "emo_condition_module": conditioning(gpt.emotion),
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
        "version": 2.0,
    }
    (folder / files.CONFIG.name).write_text(yaml.safe_dump(config))
    encoder, vocoder = tiny.SPEECH_ENCODER, tiny.VOCODER
    speech = {
        "hidden_size": encoder.width,
        "intermediate_size": encoder.feed_forward,
        "num_attention_heads": encoder.heads,
        "num_hidden_layers": encoder.layers,
    }
    (folder / files.SPEECH_ENCODER_CONFIG.name).write_text(json.dumps(speech))
    sizes = {
        "num_mels": vocoder.num_mels,
        "upsample_initial_channel": vocoder.width,
        "upsample_rates": vocoder.rates,
        "upsample_kernel_sizes": vocoder.kernels,
        "resblock_kernel_sizes": vocoder.block_kernels,
        "resblock_dilation_sizes": vocoder.block_dilations,
    }
    (folder / files.VOCODER_CONFIG.name).write_text(json.dumps(sizes))


def conditioning(sizes: ConditioningSizes) -> dict[str, float]:
    return {
        "output_size": sizes.width,
        "linear_units": sizes.feed_forward,
        "attention_heads": sizes.heads,
        "num_blocks": sizes.layers,
        "perceiver_mult": sizes.perceiver_mult,
    }


def write_tokeniser(folder: Path) -> None:
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(CORPUS * 20))
    SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "bpe"),
        model_type="bpe",
        vocab_size=tiny.GPT.num_text_ids,
        bos_id=0,
        eos_id=1,
        unk_id=2,
        minloglevel=2,
    )
    corpus.unlink()
    (folder / "bpe.vocab").unlink()
