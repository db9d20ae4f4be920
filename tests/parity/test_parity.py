"""Every golden case that is found is run; none is skipped."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.parity import indextts2_cases, loss_cases, unitaf_cases, unitalker_cases
from tests.parity.golden import Case, find_cases, golden_folder, golden_required

RUNNERS: dict[tuple[str, str], Callable[[Case], None]] = {
    **unitalker_cases.RUNNERS,
    **loss_cases.RUNNERS,
    **unitaf_cases.RUNNERS,
    **indextts2_cases.RUNNERS,
}


def runner_for(case: Case) -> Callable[[Case], None]:
    """Return the runner of a case by family and by the longest kind that it begins with."""
    names = [case.kind, case.name]
    known = [kind for family, kind in RUNNERS if family == case.family]
    fits = [kind for kind in known if any(f"{name}_".startswith(f"{kind}_") for name in names)]
    assert fits, f"{case.file}: no runner for {case.family} {case.kind}"
    return RUNNERS[case.family, max(fits, key=len)]


@pytest.mark.parametrize("file", find_cases(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_case_matches_the_reference(file: Path) -> None:
    case = Case(file)
    runner_for(case)(case)
    case.finish()


def test_golden_folder_is_there_where_it_must_be() -> None:
    folder = golden_folder()
    if golden_required() or folder.is_dir():
        assert any(folder.rglob("*.json")), f"no golden cases under {folder}: set UNITAF_GOLDEN"


def test_a_result_that_differs_or_was_not_compared_is_reported(tmp_path: Path) -> None:
    tensors = {
        name: torch.tensor([1.0, 2.0]) for name in ("outputs/a", "outputs/b", "intermediates/c")
    }
    save_file(tensors, tmp_path / "x.safetensors")
    described = '{"case": "x", "tensors": {"a": 0}, "tolerance": {"*": {"atol": 0.1, "rtol": 0}}}'
    (tmp_path / "x.json").write_text(described)
    case = Case(tmp_path / "x.json")
    case.check("outputs/a", np.array([1.0, 2.05]))
    case.check("outputs/b", np.array([1.0, np.nan]))
    with pytest.raises(AssertionError, match=r"(?s)2 results.*outputs/b: 1 of 2.*c: never"):
        case.finish()


def test_a_case_of_an_unknown_kind_fails(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"case": "x", "kind": "poem", "model": "UniTalker"}')
    with pytest.raises(AssertionError, match="no runner for unitalker poem"):
        runner_for(Case(tmp_path / "x.json"))
