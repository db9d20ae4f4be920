"""A tiny IndexTTS2 with random weights in the published layout: a folder to load one from."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer
from torch import Tensor, nn

from benchmarks.indextts2_files import write_settings
from tests.tts.indextts2 import tiny
from unitaf.audio import decode_audio
from unitaf.tts.indextts2 import files
from unitaf.tts.indextts2.campplus import StyleEncoder
from unitaf.tts.indextts2.conditioning import EMOTION_ROWS
from unitaf.tts.indextts2.loading import load_networks
from unitaf.tts.indextts2.sizes import PUBLISHED_STYLE
from unitaf.tts.indextts2.voice import mixed_emotion, read_emotion, read_voice
from unitaf.types import Emotion

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
    write_settings(folder, tiny.SIZES)
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


def teach_emotion(folder: Path, reference: Path, recording: Path, emotion: Emotion) -> None:
    """Change one prototype of a model such that a recording of a voice is a mix.

    Args:
        folder: The model.
        reference: The voice's clip.
        recording: What is said with it.
        emotion: The strengths of the mix; not all 0.
    """
    networks = load_networks(folder, "cpu", "float32")
    voice = read_voice(networks, *decode_audio(reference.read_bytes()))
    heard = read_emotion(networks, *decode_audio(recording.read_bytes()))
    mixed = mixed_emotion(networks, voice, emotion)
    index = next(index for index, strength in enumerate(emotion) if strength)
    row = sum(EMOTION_ROWS[:index]) + networks.emotions.nearest_rows(voice.style)[index]
    vectors = networks.emotions.vectors.clone()
    vectors[row] += (heard - mixed) / emotion[index]
    torch.save(vectors, folder / files.EMOTION_VECTORS.name)


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
