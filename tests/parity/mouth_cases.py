"""Runs the UniTAF cases of the mouth-state loss and of its interval."""

from collections.abc import Callable

import torch
from torch import Tensor

from tests.parity.golden import Case
from tests.parity.loss_cases import check_lips, everywhere, posed
from unitaf.losses import (
    FaceGeometry,
    MouthWeighting,
    coefficient_loss,
    face_geometry,
    mouth_openness,
    mouth_state_loss,
    mouth_state_weight,
    normalized_openness,
    search_openness_interval,
    vertex_error,
    vertex_loss,
)

RELEASED = MouthWeighting(0.032137, 0.041262, alpha=3.0, gamma=2.0, base=0.1)
"""The weighting in the published training code."""


def released_mouth_term(
    predicted: Tensor, target: Tensor, geometry: FaceGeometry, weighting: MouthWeighting
) -> Tensor:
    """Return the published code's own form: lips by their weight, all other vertices by 1."""
    mask = everywhere(target)
    weight = mouth_state_weight(mouth_openness(target, geometry), weighting)
    face = vertex_error(predicted, target, mask, geometry.face_form)
    lips = vertex_error(predicted, target, mask, geometry.lip_form)
    return (face + (weight - 1.0) * lips).mean()


def make_geometry(rig: dict[str, Tensor]) -> tuple[FaceGeometry, int]:
    """Return the geometry of a case's rig and how many of the channels it has."""
    geometry = face_geometry(rig["meanshape"], rig["blendshape"], rig["mouth_idx"])
    return geometry, rig["blendshape"].shape[0]


def run_mouth(case: Case) -> None:
    for name, run in case.json["runs"].items():
        rig = case.inputs(run["rig"])
        geometry, channels = make_geometry(rig)
        predicted = case.input(run["prediction"]).requires_grad_()
        target = case.input(run["target"])
        sides = predicted[..., :channels], target[..., :channels]
        if run.get("as_released"):
            factor = case.json["config"]["released_factor"]
            loss = factor * released_mouth_term(*sides, geometry, RELEASED)
            case.check(f"outputs/{name}/total", loss)
            check_unweighted(case, name, (predicted, target), geometry)
        else:
            weighting = MouthWeighting(
                run["openness_low"],
                run["openness_high"],
                run["alpha"],
                run["gamma"],
                run["base_weight"],
            )
            if run["apply_to"] == "all":
                loss = mouth_state_loss(*sides, everywhere(target), geometry, weighting)
            else:
                loss = released_mouth_term(*sides, geometry, weighting)
            openness = mouth_openness(sides[1], geometry)
            case.check(f"outputs/{name}/mouth_term", loss)
            case.check(f"outputs/{name}/openness", openness)
            case.check(f"outputs/{name}/norm_openness", normalized_openness(openness, weighting))
            case.check(f"outputs/{name}/weight", mouth_state_weight(openness, weighting))
        (gradient,) = torch.autograd.grad(loss, predicted)
        case.check(f"outputs/{name}/grad_prediction", gradient)
        case.check_equal("gradient beyond the geometry", int(gradient[..., channels:].any()), 0)


def check_unweighted(
    case: Case, name: str, curves: tuple[Tensor, Tensor], geometry: FaceGeometry
) -> None:
    predicted, target = curves
    rig, mask = case.inputs(case.json["runs"][name]["rig"]), everywhere(target)
    channels = rig["blendshape"].shape[0]
    vertex = vertex_loss(predicted[..., :channels], target[..., :channels], mask, geometry)
    case.check(f"outputs/{name}/coefficient_mse", coefficient_loss(predicted, target, mask))
    case.check(f"outputs/{name}/vertex_mse", vertex)
    meshes = posed(predicted, rig), posed(target, rig)
    check_lips(case, name, *meshes, rig["mouth_idx"])
    case.check(f"outputs/{name}/vertices_prediction", meshes[0].flatten(0, 1))
    case.check(f"outputs/{name}/vertices_target", meshes[1].flatten(0, 1))


def run_interval(case: Case) -> None:
    for name, run in case.json["runs"].items():
        openness = case.input(run["openness"])
        shape = (run["alpha"], run["gamma"], run["base_weight"])
        found = search_openness_interval(
            openness.numpy(), run["coverage"], *shape, bisections=run["max_iter"]
        )
        results = {
            "openness_low": found.weighting.low,
            "openness_high": found.weighting.high,
            "imbalance": found.imbalance,
            "norm_openness": normalized_openness(openness, found.weighting),
            "weight": mouth_state_weight(openness, found.weighting),
        }
        for key, value in results.items():
            case.check(f"outputs/{name}/{key}", value)
        case.check(f"intermediates/{name}/median", found.median)
        case.check(f"intermediates/{name}/r_min", found.radius_range[0])
        case.check(f"intermediates/{name}/r_max", found.radius_range[1])


RUNNERS: dict[tuple[str, str], Callable[[Case], None]] = {
    ("unitaf", "mouth"): run_mouth,
    ("unitaf", "interval"): run_interval,
}
