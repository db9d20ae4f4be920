"""Runs the cases of losses, lip metrics and their averages."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.parity.golden import Case
from unitaf.face.decoder import PcaBasis
from unitaf.losses import coefficient_loss, face_geometry, mesh_loss, vertex_loss
from unitaf.metrics.mesh import lip_vertex_distance, lip_vertex_error
from unitaf.rigs.flame import FlameModel

Run = dict[str, Any]


def everywhere(values: Tensor) -> Tensor:
    """Return a mask of all frames."""
    return torch.ones(values.shape[:2], dtype=torch.bool)


def as_points(flat: Tensor) -> Tensor:
    """Return meshes whose coordinates stand in one row a frame, x, y, z of each vertex."""
    return flat.unflatten(-1, (-1, 3))


def posed(curves: Tensor, rig: dict[str, Tensor]) -> Tensor:
    """Return the vertices of curves on the first channels of a case's rig."""
    channels = rig["blendshape"].shape[0]
    moved = torch.einsum("...c,cpx->...px", curves[..., :channels], rig["blendshape"])
    return moved + rig["meanshape"]


def check_lips(
    case: Case, where: str, predicted: Tensor, target: Tensor, mouth: Tensor
) -> tuple[float, float]:
    """Compare LVE and LVD of meshes with their batch axis, and return them."""
    arrays = (predicted.detach().flatten(0, 1).numpy(), target.flatten(0, 1).numpy())
    error = lip_vertex_error(*arrays, mouth.numpy())
    distance = lip_vertex_distance(*arrays, mouth.numpy())
    case.check(f"outputs/{where}/LVE", error)
    case.check(f"outputs/{where}/LVD", distance)
    return error, distance


def run_losses(case: Case) -> None:
    kinds = {"vertices": _mesh, "blendshape": _blendshape, "flame_params": _flame}
    for name, run in case.json["runs"].items():
        kinds[run["loss"]](case, name, run)


def _mesh(case: Case, name: str, run: Run) -> None:
    predicted = case.input(run["prediction"]).requires_grad_()
    points, target = as_points(predicted), as_points(case.input(run["target"]))
    loss = mesh_loss(points, target, everywhere(target))
    _check_loss(case, name, loss, predicted)
    check_lips(case, name, points, target, case.input(run["mouth_idx"]))
    case.check(f"outputs/{name}/vertices_prediction", points.flatten(0, 1))


def _blendshape(case: Case, name: str, run: Run) -> None:
    predicted = case.input(run["prediction"]).requires_grad_()
    target, rig = case.input(run["target"]), case.inputs(run["rig"])
    lips = case.input(run["mouth_idx"])
    geometry = face_geometry(rig["meanshape"], rig["blendshape"], lips)
    mask = everywhere(target)
    coefficients = coefficient_loss(predicted, target, mask)
    loss = vertex_loss(predicted, target, mask, geometry)
    _check_loss(case, name, loss + run["blendshape_weight"] * coefficients, predicted)
    check_lips(case, name, posed(predicted, rig), posed(target, rig), lips)
    case.check(f"outputs/{name}/vertices_prediction", posed(predicted, rig).flatten(0, 1))


def _flame(case: Case, name: str, run: Run) -> None:
    flame = _flame_model(case.inputs(run["rig"]))
    kept, lips = case.input(run["loss_vertices"]), case.input(run["mouth_idx"])
    predicted = case.input(run["prediction"]).requires_grad_()
    target = case.input(run["target"])
    moved, true = (flame.from_parameters(side[0])[None] for side in (predicted, target))
    loss = mesh_loss(moved[:, :, kept], true[:, :, kept], everywhere(target))
    _check_loss(case, name, loss, predicted)
    check_lips(case, name, moved, true, lips)
    case.check(f"outputs/{name}/all_vertices_prediction", moved[0])
    case.check(f"outputs/{name}/vertices_prediction", moved[0, :, kept])


def _flame_model(stored: dict[str, Tensor]) -> FlameModel:
    return FlameModel(
        template=stored["v_template"],
        shape_basis=stored["shapedirs"],
        pose_basis=stored["posedirs"],
        joint_regressor=stored["J_regressor"],
        skinning=stored["lbs_weights"],
        parents=tuple(stored["kintree_table"][0].tolist()),
        triangles=np.zeros((0, 3), np.int64),
    )


def _check_loss(case: Case, name: str, loss: Tensor, predicted: Tensor) -> None:
    (gradient,) = torch.autograd.grad(loss, predicted)
    case.check(f"outputs/{name}/rec_loss", loss)
    case.check(f"outputs/{name}/grad_prediction", gradient)


def run_pca(case: Case) -> None:
    for name, run in case.json["runs"].items():
        stored, template = case.inputs(run["pca"]), case.input(run["template"])
        basis = PcaBasis(stored["components_to_data"], stored["original_data_mean"], run["pca_dim"])
        coefficients = case.input(run["coefficients"]).requires_grad_()
        target = case.input(run["face_motion"])
        motion = basis.decode(coefficients) + template[:, None]
        encoded = basis.encode(target - template[:, None])
        mask = everywhere(target)
        loss = mesh_loss(as_points(motion), as_points(target), mask)
        pca = coefficient_loss(coefficients, encoded, mask)
        total = loss + run["pca_weight"] * pca
        (gradient,) = torch.autograd.grad(total, coefficients)
        results = {
            "motion": motion,
            "encoded_face_motion": encoded,
            "rec_loss": loss,
            "pca_loss": pca,
            "total_loss": total,
            "grad_coefficients": gradient,
        }
        for key, value in results.items():
            case.check(f"outputs/{name}/{key}", value)
        mouth = case.input(run["mouth_idx"])
        check_lips(case, name, as_points(motion), as_points(target), mouth)


def run_average(case: Case) -> None:
    for run in case.json["runs"].values():
        mouth = case.input(run["mouth_idx"])
        rows = []
        for index, names in enumerate(zip(run["predictions"], run["targets"], strict=True)):
            predicted, target = (as_points(case.input(name)) for name in names)
            loss = float(mesh_loss(predicted, target, everywhere(target)))
            case.check(f"outputs/sequence{index}/rec_loss", loss)
            rows.append((loss, *check_lips(case, f"sequence{index}", predicted, target, mouth)))
        for key, mean in zip(("rec_loss", "LVE", "LVD"), np.mean(rows, axis=0), strict=True):
            case.check(f"outputs/mean/{key}", mean)


RUNNERS: dict[tuple[str, str], Callable[[Case], None]] = {
    ("unitalker", "loss"): run_losses,
    ("unitalker", "pca"): run_pca,
    ("unitalker", "average"): run_average,
}
