"""Runs the IndexTTS2 cases of the GPT: conditioning, emotion, prompts, latents."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from tests.parity.golden import Case
from tests.parity.lines import batches, inputs_of, lengths_of, load, numbered, outputs_of
from unitaf.tts.indextts2.conditioning import (
    Conditioner,
    EmotionTable,
    blend_emotion,
    limit_emotion,
    scale_emotion,
)
from unitaf.tts.indextts2.gpt import SpeechGpt
from unitaf.tts.indextts2.prompt import generation_prompts, join_conditions
from unitaf.tts.indextts2.search import FAKE_PROMPT_CODE
from unitaf.tts.indextts2.sizes import read_gpt_sizes
from unitaf.tts.indextts2.teaching import code_latents, teach


def make_gpt(case: Case) -> SpeechGpt:
    gpt = SpeechGpt(read_gpt_sizes(case.json["config"].get("gpt", case.json["config"])))
    load(gpt, case.weights("gpt"))
    return gpt


def make_conditioner(case: Case, config: dict[str, object]) -> Conditioner:
    conditioner = Conditioner(read_gpt_sizes(config))
    load(conditioner, case.weights("gpt"))
    return conditioner


def _inside(branch: str, conformer: nn.Module, perceiver: nn.Module) -> dict[str, nn.Module]:
    blocks = {f"{branch}_block{i}": block for i, block in enumerate(conformer.encoders)}
    steps = {f"{branch}_perceiver_ff{i}": layer[1] for i, layer in enumerate(perceiver.layers)}
    ends = {
        f"{branch}_subsampled": conformer.embed,
        f"{branch}_conformer": conformer,
        f"{branch}_perceiver": perceiver,
    }
    return {**blocks, **steps, **ends}


def run_conditioning(case: Case) -> None:
    conditioner = make_conditioner(case, case.json["config"])
    inside = _inside(
        "speaker", conditioner.conditioning_encoder, conditioner.perceiver_encoder
    ) | _inside("emotion", conditioner.emo_conditioning_encoder, conditioner.emo_perceiver_encoder)
    for lines in batches(numbered(case, "L")):
        speaker = [case.input(f"{line}/speaker_features") for line in lines]
        emotion = [case.input(f"{line}/emotion_features") for line in lines]
        padded = pad_sequence(speaker, batch_first=True, padding_value=7.0)
        base = conditioner.emotion_vector(padded, lengths_of(speaker))
        with outputs_of(inside) as found:
            latents = conditioner.speaker_latents(padded, lengths_of(speaker))
            reference = conditioner.emotion_vector(
                pad_sequence(emotion, batch_first=True, padding_value=-7.0), lengths_of(emotion)
            )
        for row, line in enumerate(lines):
            alpha = float(case.input(f"{line}/alpha"))
            case.check(f"outputs/{line}/cond_latents", latents[row])
            case.check(f"outputs/{line}/emovec_base", base[row])
            case.check(f"outputs/{line}/emovec_emotion", reference[row])
            blended = blend_emotion(base[row], reference[row], alpha)
            case.check(f"outputs/{line}/emovec", blended)
            if len(lines) == 1:
                for name in case.names(f"intermediates/{line}/"):
                    case.check(name, found[name.split("/")[-1]][row])
    for lines in batches(numbered(case, "masked_L")):
        _check_masked(case, conditioner, lines)


def _check_masked(case: Case, conditioner: Conditioner, lines: list[str]) -> None:
    features = [case.input(f"{line.removeprefix('masked_')}/speaker_features") for line in lines]
    padded = pad_sequence(features, batch_first=True, padding_value=7.0)
    valid = torch.stack([case.input(f"{line}/length") for line in lines])
    latents = conditioner.speaker_latents(padded, lengths_of(features), valid)
    vectors = conditioner.emotion_vector(padded, lengths_of(features), valid)
    for row, line in enumerate(lines):
        case.check(f"outputs/{line}/cond_latents", latents[row])
        case.check(f"outputs/{line}/emovec", vectors[row])


def run_emotion_vectors(case: Case) -> None:
    sizes_from = Case(case.file.with_name(case.json["weights_from"]["gpt"]).with_suffix(".json"))
    conditioner = make_conditioner(case, sizes_from.json["config"])
    weights = case.weights()
    table = EmotionTable(weights["feat1"], weights["feat2"])
    bases = {}
    for name in [n for n in case.tensors if n.startswith("inputs/speaker_features")]:
        index = name.removeprefix("inputs/speaker_features")
        features = case.input(name)[None]
        bases[index] = conditioner.emotion_vector(features, torch.tensor([features.shape[1]]))[0]
        case.check(f"intermediates/base_emovec{index}", bases[index])
    for line in numbered(case, "case"):
        index = str(int(case.input(f"{line}/style_index")))
        style = case.input(f"style{index}")
        given = case.input(f"{line}/vector").tolist()
        emotion = scale_emotion(given, float(case.input(f"{line}/alpha")))
        case.check(f"intermediates/{line}/scaled_vector", np.array(emotion))
        case.check(f"intermediates/{line}/prototype_rows", np.array(table.nearest_rows(style)))
        case.check(f"outputs/{line}/emovec", table.mix(emotion, style, bases[index]))
    for line in numbered(case, "bias"):
        given = case.input(f"{line}/vector").tolist()
        case.check(f"outputs/{line}/biased", np.array(limit_emotion(given, calming=True)))
        case.check(f"outputs/{line}/unbiased", np.array(limit_emotion(given, calming=False)))


def conditions_of(case: Case, gpt: SpeechGpt, lines: list[str]) -> Tensor:
    latents = torch.stack([case.input(f"{line}/cond_latents") for line in lines])
    vectors = torch.stack([case.input(f"{line}/emovec") for line in lines])
    return join_conditions(gpt, latents, vectors)


def ids_of(case: Case, lines: list[str], name: str) -> list[list[int]]:
    return [case.input(f"{line}/{name}").tolist() for line in lines]


def run_prompt(case: Case) -> None:
    gpt = make_gpt(case)
    for line in numbered(case, "L"):
        conditions = conditions_of(case, gpt, [line])
        case.check(f"outputs/{line}/conditions34", conditions[0])
        prompts = generation_prompts(gpt, conditions, ids_of(case, [line], "text_ids"))
        case.check(f"outputs/{line}/prompt_embeds", prompts.embeddings[0, :-1])
        case.check(f"outputs/{line}/fake_ids", _fake_ids(gpt, int(prompts.lengths[0])))
    texts = case.input("batch/text_ids").tolist()
    prompts = generation_prompts(gpt, case.input("batch/conditions"), texts)
    # The reference pads at the left and keeps start_mel apart; we pad at the right.
    rows = [row[: n - 1] for row, n in zip(prompts.embeddings, prompts.lengths, strict=True)]
    longest = case.tensors["outputs/batch/prompt_embeds"].shape[1]
    left = torch.stack([nn.functional.pad(row, (0, 0, longest - len(row), 0)) for row in rows])
    mask = torch.arange(longest + 1) >= (longest + 1 - prompts.lengths)[:, None]
    case.check("outputs/batch/prompt_embeds", left)
    case.check("outputs/batch/attention_mask", mask.long())
    case.check("outputs/batch/fake_ids", _fake_ids(gpt, longest + 1).expand(len(rows), -1))


def _fake_ids(gpt: SpeechGpt, length: int) -> Tensor:
    return torch.tensor([FAKE_PROMPT_CODE] * (length - 1) + [gpt.sizes.start_code])


def run_latents(case: Case) -> None:
    gpt = make_gpt(case)
    start, stop = gpt.sizes.start_code, gpt.sizes.stop_code
    for lines in batches(numbered(case, "L")):
        conditions = conditions_of(case, gpt, lines)
        texts, codes = ids_of(case, lines, "text_ids"), ids_of(case, lines, "codes")
        latents = code_latents(gpt, conditions, texts, codes)
        for row, line in enumerate(lines):
            case.check(f"outputs/{line}/latents", latents[row, : len(codes[row])])
        if len(lines) == 1:
            _check_taught(case, gpt, lines[0], [start, *codes[0], stop])


def _check_taught(case: Case, gpt: SpeechGpt, line: str, fed: list[int]) -> None:
    blocks = {f"block{i}": block for i, block in enumerate(gpt.gpt.h)}
    norms = {"ln_f": gpt.gpt.ln_f, "final_norm": gpt.final_norm}
    fed_to = {
        "input_embeds": gpt.gpt,
        "text_positions": gpt.text_pos_embedding,
        "mel_positions": gpt.mel_pos_embedding,
    }
    conditions = conditions_of(case, gpt, [line])
    with outputs_of({**blocks, **norms}) as found, inputs_of(fed_to) as given:
        taught = teach(gpt, conditions, ids_of(case, [line], "text_ids"), [fed])
    inside = {**found, **given}
    inside["final_norm_after_conditions"] = found["final_norm"][:, conditions.shape[1] :]
    inside["text_logits"] = gpt.text_logits(taught.text)
    inside["mel_logits"] = gpt.code_logits(taught.codes)
    for name in case.names(f"intermediates/{line}/") + case.names(f"outputs/{line}/"):
        if not name.endswith("/latents"):
            case.check(name, inside[name.split("/")[-1]][0])


RUNNERS = {
    ("indextts2", "gpt_conditioning"): run_conditioning,
    ("indextts2", "emotion_vectors"): run_emotion_vectors,
    ("indextts2", "gpt_prompt"): run_prompt,
    ("indextts2", "gpt_latents"): run_latents,
}
