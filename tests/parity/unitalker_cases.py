"""Runs the UniTalker cases."""

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity.golden import Case
from tests.parity.loss_cases import as_points, everywhere
from unitaf.face import encoders, windows
from unitaf.face.decoder import FrameGrid, PcaBasis
from unitaf.face.encoders import num_steps
from unitaf.face.recordings import Target, upstream_windows
from unitaf.face.unitalker import (
    EncoderSizes,
    Network,
    UniTalker,
    build_unitalker,
    from_published,
    published_key,
)
from unitaf.losses import coefficient_loss, face_geometry, mesh_loss, vertex_loss

Run = dict[str, Any]


def build(case: Case, convert_at: Any) -> UniTalker:
    """Return the case's network, its weights loaded strictly."""
    config = case.json["config"]
    sizes = config["encoder"]
    bases = {
        kind["name"]: pca_basis(case, f"pca.{kind['name']}", config["pca_dim"])
        for kind in config["annotation_types"]
        if kind.get("pca")
    }
    heads = {
        kind["name"]: bases[kind["name"]].num_components if kind.get("pca") else kind["dim"]
        for kind in config["annotation_types"]
    }
    network = Network(
        encoder=sizes["kind"],
        sizes=EncoderSizes(
            dim=sizes["hidden_size"],
            num_layers=sizes["num_hidden_layers"],
            num_heads=sizes["num_attention_heads"],
            feedforward_dim=sizes["intermediate_size"],
            conv_dim=sizes["conv_dim"][0],
        ),
        num_styles=config["identity_num"],
        head_sizes=heads,
        head_layers=config["headlayer"],
        decoder={"conv": "tcn", "transformer": "transformer"}[config["decoder_type"]],
        decoder_dim=config["decoder_dimension"],
        style_dim=config["identity_dimension"],
        period=config["period"],
        convert_at=convert_at,
    )
    model = build_unitalker(network, bases)
    model.load_state_dict(from_published(model, case.weights()))
    return model.eval()


def pca_basis(case: Case, prefix: str, pca_dim: int) -> PcaBasis:
    table = case.inputs(prefix)
    return PcaBasis(table["components_to_data"], table["original_data_mean"], pca_dim)


def watch(model: UniTalker) -> dict[str, Tensor]:
    """Return a dictionary that the next forward pass fills with the golden intermediates."""
    seen: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, pick: Callable[[Any], Tensor] = lambda x: x) -> None:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            seen[name] = pick(output)

        module.register_forward_hook(hook)

    encoder, decoder = model.encoder, model.decoder
    keep("projection", encoder.feature_projection, itemgetter(0))
    keep("pos_conv", encoder.encoder.pos_conv_embed)
    for index, layer in enumerate(encoder.encoder.layers):
        wavlm = hasattr(layer.attention, "gru_rel_pos_linear")
        keep(f"layer{index}", layer, itemgetter(0) if wavlm else lambda x: x)
    first = encoder.encoder.layers[0]
    keep("layer0_attention", first.attention, itemgetter(0))
    if hasattr(first.attention, "gru_rel_pos_linear"):
        keep("layer0_gate_linear", first.attention.gru_rel_pos_linear)
        keep("position_bias", first.attention, lambda x: x[2].repeat(len(x[0]), 1, 1))

    keep("encoder_out", encoder.encoder, attrgetter("last_hidden_state"))

    def before(name: str, module: nn.Module) -> None:
        module.register_forward_pre_hook(lambda _module, inputs: seen.update({name: inputs[0]}))

    keep("cnn", encoder.feature_extractor, lambda row: append(seen.get("cnn"), row.mT))
    before("layer_input", first)
    before("decoder_memory", decoder.project)
    keep("audio_feature_map", decoder.project)
    for index, block in enumerate(getattr(decoder, "blocks", [])):
        keep(f"tcn{index}", block)
    if hasattr(decoder, "layer"):
        before("decoder_query", decoder.layer)
    if hasattr(decoder, "self_attention_bias"):
        keep("self_attention_mask", decoder, lambda x: decoder.self_attention_bias(x.shape[1]))
    for head in model.heads.values():
        before("decoder_out", head)
        keep("head", head)
    return seen


def append(rows: Tensor | None, row: Tensor) -> Tensor:
    """Return a batch with one more row: the convolutions see one clip at a time."""
    return row if rows is None else torch.cat([rows, row])


def prepared(case: Case, run: Run) -> Tensor:
    """Return the audio of a run as it is fed."""
    waveforms = case.input(run["audio"])
    for _ in range(run.get("normalise_passes", 0)):
        rows = [encoders.normalize(row) for row in waveforms.numpy()]
        waveforms = torch.from_numpy(np.stack(rows))
    return waveforms


def forward(model: UniTalker, case: Case, run: Run) -> tuple[Tensor, Tensor]:
    """Return the head's numbers and the motion of one run, the reference's way."""
    waveforms = prepared(case, run)
    length = waveforms.shape[1]
    target = case.input(run["face_motion"]) if "face_motion" in run else None
    frames = windows.upstream_frames(length, run["fps"]) if target is None else target.shape[1]
    case.check_equal("frame_num", frames, run["frame_num"])
    rows = len(waveforms)
    grid = FrameGrid.aligned([num_steps(length)] * rows, [frames] * rows)
    styles = torch.tensor(run["style_idx"] or [model.num_styles - 1] * rows)
    numbers = model(waveforms, [length] * rows, grid, styles, run["annotation_type"])
    motion = model.displacements(run["annotation_type"], numbers) + case.input(run["template"])
    return numbers, motion


def run_full(case: Case) -> None:
    for name, run in case.json["runs"].items():
        model = build(case, run["interpolate_pos"])
        seen = watch(model)
        numbers, motion = forward(model, case, run)
        seen["normalised_audio"] = prepared(case, run)
        results = {"motion": motion, "pca": numbers}
        if "face_motion" in run and run["annotation_type"] in model.bases:
            basis = model.bases[run["annotation_type"]]
            results["gt_pca"] = basis.encode(
                case.input(run["face_motion"]) - case.input(run["template"])
            )
        if run.get("gradients"):
            results |= losses(case, run, numbers, motion, results.get("gt_pca"))
            results["total_loss"].backward()
            for key, parameter in model.named_parameters():
                stored = f"outputs/{name}/grad/{published_key(key)}"
                if stored in run["outputs"]:
                    case.check(stored, parameter.grad)
        for result in set(run["outputs"]) - set(case.names(f"outputs/{name}/grad/")):
            case.check(result, results[result.rsplit("/", 1)[-1]])
        for stored in case.names(f"intermediates/{name}/"):
            case.check(stored, seen[stored.rsplit("/", 1)[-1]])


def losses(
    case: Case, run: Run, numbers: Tensor, motion: Tensor, coefficients: Tensor | None
) -> dict[str, Tensor]:
    """Return the training losses of one run."""
    target = case.input(run["face_motion"])
    mask = everywhere(target)
    if run["loss"] == "blendshape":
        rig = case.inputs(run["rig"])
        geometry = face_geometry(rig["meanshape"], rig["blendshape"], case.input(run["mouth_idx"]))
        weights = coefficient_loss(motion, target, mask)
        loss = vertex_loss(motion, target, mask, geometry) + run["blendshape_weight"] * weights
    else:
        loss = mesh_loss(as_points(motion), as_points(target), mask)
    if coefficients is None:
        return {"rec_loss": loss, "total_loss": loss}
    pca = coefficient_loss(numbers, coefficients, mask)
    total = loss + case.json["config"]["pca_weight"] * pca
    return {"rec_loss": loss, "pca_loss": pca, "total_loss": total}


def run_long(case: Case) -> None:
    """Run long recordings; the windows as fed are described by their mean and deviation."""
    normalised = case.json["config"]["normalise"]
    for name, run in case.json["runs"].items():
        model = build(case, run["interpolate_pos"])
        assert model.encoder.is_normalized == normalised
        waveform = case.input(run["audio"]).numpy()
        style = model.num_styles - 1 if run["style_idx"] is None else run["style_idx"][0]
        template = case.input(run["template"])[0].numpy()
        target = Target(run["annotation_type"], style, run["fps"], template)
        fed: list[Tensor] = []
        model.encoder.feature_extractor.register_forward_pre_hook(
            lambda _module, inputs, fed=fed: fed.append(inputs[0][0].double())
        )
        pieces = upstream_windows(model, waveform, target)
        for index, piece in enumerate(pieces):
            case.check(f"outputs/{name}/chunk{index}", piece)
        case.check(f"outputs/{name}/merged", windows.join_windows(pieces, run["fps"]))
        plan = windows.plan_windows(len(waveform), encoders.SAMPLE_RATE)
        case.check("intermediates/chunk_samples", np.array([stop - start for start, stop in plan]))
        case.check("intermediates/chunk_mean", np.array([window.mean() for window in fed]))
        case.check(
            "intermediates/chunk_std", np.array([window.std(correction=0) for window in fed])
        )


def run_merge(case: Case) -> None:
    """Join given windows, and plan the windows of many lengths; -1 fills the rows up."""
    for name, run in case.json["runs"].items():
        pieces = [case.input(piece).numpy() for piece in run["chunks"]]
        case.check(f"outputs/{name}/merged", windows.join_windows(pieces, run["fps"]))
    lengths = case.input("num_samples").tolist()
    plans = [windows.plan_windows(length, encoders.SAMPLE_RATE) for length in lengths]
    width = case.tensors["outputs/plan/chunk_start"].shape[1]
    case.check("outputs/plan/num_chunks", np.array([len(plan) for plan in plans]))
    case.check("outputs/plan/chunk_start", filled([[w[0] for w in plan] for plan in plans], width))
    case.check("outputs/plan/chunk_end", filled([[w[1] for w in plan] for plan in plans], width))
    for fps in case.json["config"]["fps_list"]:
        frames = [[windows.upstream_frames(b - a, fps) for a, b in plan] for plan in plans]
        case.check(f"outputs/plan/frames_per_chunk_fps{fps}", filled(frames, width))
        joined = [windows.join_windows([np.zeros((n, 1), "f") for n in row], fps) for row in frames]
        case.check(f"outputs/plan/merged_frames_fps{fps}", np.array([len(x) for x in joined]))
        whole = [windows.upstream_frames(length, fps) for length in lengths]
        case.check(f"outputs/plan/frames_of_whole_file_fps{fps}", np.array(whole))


def filled(rows: list[list[int]], width: int) -> Any:
    return np.array([row + [-1] * (width - len(row)) for row in rows])


def run_basics(case: Case) -> None:
    config = case.json["config"]
    for name, run in case.json["runs"].items():
        features = case.input(run["features"])
        grid = FrameGrid.aligned([features.shape[1]], [run["output_frames"]])
        case.check(f"outputs/{name}/resampled", grid.read(features))
    reach = config["distance_range"]
    distances = torch.arange(-reach, reach + 1)
    buckets = encoders.relative_buckets(
        distances, config["num_buckets"], config["max_bucket_distance"]
    )
    case.check("outputs/buckets/bucket", buckets)
    lengths = case.input("num_samples").tolist()
    case.check("outputs/lengths/encoder_frames", np.array([num_steps(n) for n in lengths]))
    frames = [[windows.upstream_frames(n, fps) for fps in config["fps_list"]] for n in lengths]
    case.check("outputs/lengths/output_frames", np.array(frames))
    for name, source in case.json["normalise_runs"].items():
        once = encoders.normalize(case.input(source).numpy())
        case.check(f"outputs/normalise/{name}_passes1", once)
        case.check(f"outputs/normalise/{name}_passes2", encoders.normalize(once))


RUNNERS: dict[tuple[str, str], Callable[[Case], None]] = {
    ("unitalker", "full"): run_full,
    ("unitalker", "long"): run_long,
    ("unitalker", "merge"): run_merge,
    ("unitalker", "basics"): run_basics,
}
