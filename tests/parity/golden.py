"""Where reference numbers come from, and how a result is held against them.

A case is ``<name>.json`` with, mostly, ``<name>.safetensors``. Every folder below the golden folder
is walked, whatever it is called: what a case is stands in its json. Conventions: ``weights/*`` and
``inputs/*`` are fed; every ``outputs/*`` and ``intermediates/*`` tensor must be checked by the
runner or named as a known difference with a reason, and `Case.finish` says which were not.
"""

import json
import os
import zlib
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
SMALL = Path(__file__).resolve().parent / "cases"
RESULTS = ("outputs/", "intermediates/")

Array = np.ndarray[Any, Any]


def golden_folder() -> Path:
    """Return the folder named by UNITAF_GOLDEN; by default the one beside the checkout."""
    return Path(os.environ.get("UNITAF_GOLDEN") or ROOT.parent / "shared" / "golden").resolve()


def golden_required() -> bool:
    """Say whether a missing golden folder is a failure: it was named, or this is CI."""
    return bool(os.environ.get("UNITAF_GOLDEN") or os.environ.get("CI"))


def find_cases() -> list[Path]:
    """Return the json of every case: the small ones kept here, then those of the golden folder."""
    files = [file for folder in (SMALL, golden_folder()) for file in sorted(folder.rglob("*.json"))]
    return [file for file in files if not _holds_only_weights(file)]


def _holds_only_weights(file: Path) -> bool:
    return bool(json.loads(file.read_text()).get("tensors") == {})


def recipe_weights(recipe: dict[str, Any]) -> dict[str, Tensor]:
    """Return weights that are not stored but drawn: uniform in mean +- scale, seeded by the key."""
    weights = {}
    for key, (shape, mean, scale) in recipe["keys"].items():
        random = np.random.RandomState((zlib.crc32(key.encode()) + recipe["seed"]) % 2**32)
        uniform = random.random_sample(int(np.prod(shape)))
        values = (mean + scale * (2 * uniform - 1)).astype(np.float32)
        weights[key] = torch.from_numpy(values.reshape(shape))
    return weights


def _tensors(file: Path) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in load_file(file).items()}


class Case:
    """One golden case: what it says, its tensors, and what has been checked so far."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.json: dict[str, Any] = json.loads(file.read_text())
        self.name: str = self.json.get("case", file.stem)
        self._checked: set[str] = set()
        self._failures: list[str] = []

    @property
    def family(self) -> str:
        """The model the case belongs to: ``unitalker``, ``unitaf`` or ``indextts2``."""
        if "model" in self.json:
            return str(self.json["model"]).split()[0].strip(",.:").lower()
        return "indextts2"

    @property
    def kind(self) -> str:
        return str(self.json.get("kind", self.name))

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Every stored tensor, as stored."""
        file = self.file.with_suffix(".safetensors")
        return _tensors(file) if file.exists() or "tensors" in self.json else {}

    def weights(self, source: str = "") -> dict[str, Tensor]:
        """Return weights by checkpoint key, half precision cast to float32.

        Args:
            source: A key of ``weights_from``; empty for the case's own, stored or drawn by recipe.
        """
        file = self.file
        if source:
            name = str(self.json["weights_from"][source]).split()[0]
            file = self.file.with_name(name).with_suffix(".json")
        described = json.loads(file.read_text())
        weights = (
            recipe_weights(described["weights_recipe"]) if "weights_recipe" in described else {}
        )
        stored = file.with_suffix(".safetensors")
        for key, value in (self.tensors if file == self.file else _tensors(stored)).items():
            if key.startswith("weights/"):
                weights[key.removeprefix("weights/")] = _single(value)
        return weights

    def input(self, name: str) -> Tensor:
        """Return one ``inputs/*`` tensor (the prefix may be left out), halves cast to float32."""
        return _single(self.tensors["inputs/" + name.removeprefix("inputs/")])

    def inputs(self, prefix: str) -> dict[str, Tensor]:
        """Return every input below ``inputs/<prefix>.`` by the rest of its name."""
        start = "inputs/" + prefix.removeprefix("inputs/") + "."
        return {
            k.removeprefix(start): _single(v)
            for k, v in self.tensors.items()
            if k.startswith(start)
        }

    def names(self, prefix: str) -> list[str]:
        """Return the names of the stored results below a prefix, in order."""
        return sorted(name for name in self.tensors if name.startswith(prefix))

    def check(self, name: str, actual: Tensor | Array | float) -> None:
        """Hold a result against the stored tensor; a miss is kept for `finish`."""
        self._checked.add(name)
        expected = self.tensors[name].numpy()
        if isinstance(actual, Tensor):
            actual = actual.detach().cpu().numpy()
        problem = self._problem(name, np.asarray(actual), expected)
        if problem:
            self._failures.append(f"{name}: {problem}")

    def check_equal(self, label: str, actual: object, expected: object) -> None:
        """Hold a value that stands in the json against the expected one."""
        if actual != expected:
            self._failures.append(f"{label}: {actual!r} is not {expected!r}")

    def known_difference(self, name: str, reason: str) -> None:
        """Leave one stored result (or shell pattern) unmatched on purpose.

        Raises:
            ValueError: If no stored result has that name, or no reason is given.
        """
        found = [stored for stored in self._results() if fnmatchcase(stored, name)]
        if not found or not reason:
            raise ValueError(
                f"{self.name}: a known difference needs a result and a reason: {name!r}"
            )
        self._checked.update(found)

    def finish(self) -> None:
        """Fail if any result missed its tolerance or was never looked at."""
        unchecked = sorted(set(self._results()) - self._checked)
        lines = self._failures + [f"{name}: never compared" for name in unchecked]
        assert not lines, f"{self.file}: {len(lines)} results\n" + "\n".join(lines)

    def _results(self) -> list[str]:
        return [name for name in self.tensors if name.startswith(RESULTS)]

    def _tolerance(self, name: str) -> tuple[float, float]:
        """Return atol and rtol: of the tensor itself, or of the longest shell pattern that fits."""
        if "tolerances" in self.json:
            found = self.json["tolerances"][name]
        else:
            patterns = self.json["tolerance"]
            found = patterns[max((p for p in patterns if fnmatchcase(name, p)), key=len)]
        if found.get("exact"):
            return 0.0, 0.0
        return float(found["atol"]), float(found["rtol"])

    def _problem(self, name: str, actual: Array, expected: Array) -> str:
        if actual.shape != expected.shape:
            return f"shape {actual.shape} is not {expected.shape}"
        # Integers are ids and counts, but 16 bits may be sound, with a tolerance of its own.
        is_count = expected.dtype.kind in "iub" and expected.dtype != np.int16
        atol, rtol = (0.0, 0.0) if is_count else self._tolerance(name)
        ours, golden = actual.astype(np.float64), expected.astype(np.float64)
        same = ours == golden
        error = np.abs(np.where(same, 0.0, ours) - np.where(same, 0.0, golden))
        limit = atol + rtol * np.where(same, 0.0, np.abs(golden))
        fits = same | (error <= limit)
        if fits.all():
            return ""
        worst = float(np.nanmax(np.where(fits, 0.0, error)))
        count = f"{(~fits).sum()} of {fits.size} differ"
        return f"{count}, by up to {worst:.3g} (atol {atol:g}, rtol {rtol:g})"


def _single(value: Tensor) -> Tensor:
    return value.float() if value.dtype == torch.float16 else value
