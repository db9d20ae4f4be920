"""Runs the IndexTTS2 cases from latents to mel: length regulator and flow."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tests.parity.golden import Case
from tests.parity.lines import (
    batches,
    check_stored,
    inputs_of,
    lengths_of,
    load,
    numbered,
    outputs_of,
)
from unitaf.tts.indextts2.cfm import FlowInput
from unitaf.tts.indextts2.dit import Surroundings
from unitaf.tts.indextts2.s2mel import SemanticToMel, nearest_index, target_frames
from unitaf.tts.indextts2.sizes import read_s2mel_sizes
from unitaf.tts.indextts2.weight_norm import fold_weight_norm


def make_s2mel(case: Case, source: str = "s2mel") -> SemanticToMel:
    config = case.json["config"]
    if source:
        config = Case(case.file.with_name(f"weights_{source}.json")).json["config"]
    weights = fold_weight_norm(case.weights(source))
    sizes = read_s2mel_sizes(config, weights["gpt_layer.0.weight"].shape[1])
    s2mel = SemanticToMel(sizes)
    load(s2mel, weights)
    return s2mel


def run_nearest_index(case: Case) -> None:
    lengths = case.input("lengths").long()
    frames = torch.tensor([target_frames(length) for length in lengths.tolist()])
    check_stored(case, "outputs/target_frames", frames)
    index = nearest_index(lengths, frames)
    places = torch.arange(index.shape[1])
    exact = places * lengths[:, None] // frames.clamp(min=1)[:, None]
    row, place = torch.where((index != exact) & (places < frames[:, None]))
    found = torch.stack([lengths[row], frames[row], place, index[row, place]], dim=1)
    check_stored(case, "outputs/exceptions", found)


def run_length_regulator(case: Case) -> None:
    s2mel = make_s2mel(case)
    for lines in batches(numbered(case, "L")):
        latents = [case.input(f"{line}/latents") for line in lines]
        codes = [case.input(f"{line}/code_vectors") for line in lines]
        features = s2mel.gpt_layer(pad_sequence(latents, batch_first=True))
        vectors = pad_sequence(codes, batch_first=True, padding_value=3.0) + features
        frames = torch.tensor([target_frames(len(line)) for line in codes])
        content = s2mel.length_regulator(vectors, lengths_of(codes), frames)
        index = nearest_index(lengths_of(codes), frames)
        for row, line in enumerate(lines):
            check_stored(case, f"intermediates/{line}/target_frames", frames[row])
            check_stored(case, f"intermediates/{line}/source_index", index[row, : frames[row]])
            check_stored(case, f"outputs/{line}/content", content[row, : frames[row]])
            if f"outputs/{line}/gpt_layer" in case.tensors:
                check_stored(case, f"outputs/{line}/gpt_layer", features[row, : len(codes[row])])
    for line in numbered(case, "ref"):
        vectors = case.input(f"{line}/quantised")[None]
        frames = case.input(f"{line}/mel_frames")[None]
        lengths = torch.tensor([vectors.shape[1]])
        check_stored(case, f"intermediates/{line}/source_index", nearest_index(lengths, frames)[0])
        check_stored(
            case, f"outputs/{line}/content", s2mel.length_regulator(vectors, lengths, frames)[0]
        )


def flow_input(case: Case, prefix: str) -> FlowInput:
    names = ("content", "prompt_mel", "style", "noise")
    return FlowInput(*(case.input(prefix + name) for name in names))


def run_flow(case: Case) -> None:
    flow = make_s2mel(case).cfm
    check_stored(case, "intermediates/t25", torch.linspace(0.0, 1.0, 26)[:25])
    for lines in batches(numbered(case, "L")):
        inputs = [flow_input(case, f"{line}/") for line in lines]
        for line, given, mel in zip(lines, inputs, flow(inputs), strict=True):
            check_stored(case, f"outputs/{line}/mel", mel)
            _check_full(case, f"outputs/{line}/mel_full", given, mel)


def _check_full(case: Case, name: str, given: FlowInput, mel: Tensor) -> None:
    """The whole state is zero in the prompt."""
    case.check(name, torch.cat([torch.zeros_like(given.prompt), mel], dim=1))


def run_flow_steps(case: Case) -> None:
    flow = make_s2mel(case).cfm
    given = flow_input(case, "")
    estimator, transformer = flow.estimator, flow.estimator.transformer
    modules = {f"block{i}": block for i, block in enumerate(transformer.layers)}
    modules |= {
        "block0_attention": transformer.layers[0].attention,
        "transformer": transformer,
        "long_skip": estimator.skip_linear,
        "wavenet": estimator.wavenet,
        "final_layer": estimator.final_layer,
        "t_embed1": estimator.t_embedder,
        "t_embed2": estimator.t_embedder2,
    }
    states: list[Tensor] = []
    velocities: list[Tensor] = []
    inside: dict[str, Tensor] = {}
    with outputs_of(modules) as found, inputs_of({"merged_input": transformer}) as merged:

        def keep(_: object, inputs: tuple[Tensor, Surroundings, object, int], out: Tensor) -> None:
            states.append(inputs[0][0])
            velocities.append(out)
            if len(states) == 1:
                inside.update(found, **merged)

        hook = estimator.register_forward_hook(keep)
        mel = flow([given], num_steps=3)[0]
        hook.remove()
    check_stored(case, "outputs/mel", mel)
    _check_full(case, "outputs/mel_full", given, mel)
    times = torch.linspace(0.0, 1.0, 4)
    for step, (state, (told, untold)) in enumerate(zip(states, velocities, strict=True)):
        check_stored(case, f"intermediates/step{step}/x", state)
        check_stored(case, f"intermediates/step{step}/v_cond", told)
        check_stored(case, f"intermediates/step{step}/v_uncond", untold)
        check_stored(case, f"intermediates/step{step}/t", times[step].expand(2))
    _check_inside(case, inside)


def _check_inside(case: Case, inside: dict[str, Tensor]) -> None:
    """Both rows have the same time, which we embed once."""
    for name in case.names("intermediates/step0_inside/"):
        kind, rows = name.split("/")[-1], len(case.tensors[name])
        value = (
            inside[kind][:1].expand(2, -1) if kind.startswith("t_embed") else inside[kind][:rows]
        )
        case.check(name, value)


def run_full_size(case: Case) -> None:
    s2mel = make_s2mel(case, "")
    features = s2mel.gpt_layer(case.input("latents"))
    check_stored(case, "outputs/gpt_layer", features)
    vectors = (case.input("code_vectors") + features)[None]
    lengths = torch.tensor([vectors.shape[1]])
    frames = torch.tensor([target_frames(vectors.shape[1])])
    check_stored(case, "outputs/content", s2mel.length_regulator(vectors, lengths, frames)[0])
    estimator = s2mel.cfm.estimator
    around = estimator.surroundings(
        case.input("prompt_x")[None],
        case.input("content")[None],
        case.input("style")[None],
        torch.tensor([case.input("x").shape[1]]),
    )
    schedule = estimator.schedule(case.input("t"))
    check_stored(case, "outputs/velocity", estimator(case.input("x")[None], around, schedule, 0)[0])


RUNNERS = {
    ("indextts2", "nearest_index"): run_nearest_index,
    ("indextts2", "length_regulator"): run_length_regulator,
    ("indextts2", "cfm"): run_flow,
    ("indextts2", "cfm_3steps"): run_flow_steps,
    ("indextts2", "s2mel_full"): run_full_size,
}
