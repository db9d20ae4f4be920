"""Train the rows of the ablation, each from several seeds, and measure them on the same clips.

    python ray_jobs/ablation/ablate.py FOLDER

FOLDER holds the corpora that make.sh made; README.md says what the rows are. What is trained
already is not trained again. Writes ``ablation.json`` and ``ablation.md`` there.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from unitaf.checkpoint.files import DESCRIPTION_FILE
from unitaf.config import EvaluateConfig, TrainConfig, load_train_config
from unitaf.pipelines.evaluate import Evaluation, evaluate
from unitaf.pipelines.train import train_alone

_HERE = Path(__file__).parent
_START = "a2f"
_FIGURES = {
    "lip_vertex_error_mm2": "LVE (mm2)",
    "mouth_opening_difference_mm": "mouth opening difference (mm)",
    "openness_ratio": "openness range over target's",
    "bilabial_closure": "bilabial closure",
    "jitter_ratio": "jitter over target's",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    title: str
    job: str
    """Its file in this folder, without the suffix."""
    corpus: str = "same"
    is_main: bool = True
    """Whether it is trained from every seed."""


ROWS = (
    Row("b", "stage I only, decoder frozen", "b_align"),
    Row("c", "stages I and II", "c_joint"),
    Row("d", "stage II without I", "d_no_align"),
    Row("e", "stages I and II, MSE only", "e_mse"),
    Row("f", "as c, unaligned pairs", "c_joint", "stretched", is_main=False),
    Row("g", "as f, warped in time", "c_joint", "warped", is_main=False),
    Row("h", "as c, face loss in stage I", "h_face_first", is_main=False),
)
CASCADE = "a"


def main() -> None:
    """Train, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    folder, seeds = arguments.folder, arguments.seeds
    torch.set_num_threads(1)
    for seed in seeds:
        _train_seed(folder, seed, is_first=seed == seeds[0])
    measured = {seed: _measure(folder, seed, is_first=seed == seeds[0]) for seed in seeds}
    values = {seed: asdict(evaluation) for seed, evaluation in measured.items()}
    (folder / "ablation.json").write_text(json.dumps(values, indent=2) + "\n")
    table = _table(list(measured.values()))
    (folder / "ablation.md").write_text(table)
    sys.stdout.write(table)


def _rows(is_first: bool) -> list[Row]:
    return [row for row in ROWS if row.is_main or is_first]


def _train_seed(folder: Path, seed: int, is_first: bool) -> None:
    start = _job(folder, _START, "same", seed, None)
    rows = [_job(folder, r.job, r.corpus, seed, _checkpoint(start)) for r in _rows(is_first)]
    for job in (start, *rows):
        if not Path(_checkpoint(job), DESCRIPTION_FILE).exists():
            began_s = time.monotonic()
            train_alone(job)
            sys.stderr.write(f"{job.out}: {time.monotonic() - began_s:.0f} s\n")


def _job(folder: Path, job: str, corpus: str, seed: int, start: str | None) -> TrainConfig:
    config = load_train_config(
        _HERE / f"{job}.yaml",
        [
            f"corpus={folder / 'corpora' / corpus}",
            f"out={folder / 'models' / f'{job}-{corpus}-{seed}'}",
            f"seed={seed}",
        ],
    )
    first, *others = config.stages
    stages = (first.model_copy(update={"init_from": start}), *others)
    return config.model_copy(update={"stages": stages})


def _checkpoint(config: TrainConfig) -> str:
    return f"{config.out}/checkpoints/{config.stages[-1].name}"


def _measure(folder: Path, seed: int, is_first: bool) -> Evaluation:
    start = _checkpoint(_job(folder, _START, "same", seed, None))
    models = {
        row.name: _checkpoint(_job(folder, row.job, row.corpus, seed, start))
        for row in _rows(is_first)
    }
    first = models.pop("c")
    config = EvaluateConfig(cascade=start, others=models)
    evaluation = evaluate(first, str(folder / "corpora" / "same"), config)
    scores = evaluation.scores
    scores["c"], scores[CASCADE] = scores.pop("model"), scores.pop("cascade")
    return evaluation


def _table(evaluations: Sequence[Evaluation]) -> str:
    titles = {CASCADE: "cascade: audio, encoder, decoder", **{row.name: row.title for row in ROWS}}
    titles["visemes"], titles["mean"] = "the teacher's rules, default style", "mean face"
    lines = [
        f"| | what | {' | '.join(_FIGURES.values())} |",
        f"|---|---|{'---|' * len(_FIGURES)}",
    ]
    for name, title in titles.items():
        cells = [_cell(evaluations, name, figure) for figure in _FIGURES]
        lines.append(f"| {name} | {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(evaluations: Sequence[Evaluation], name: str, figure: str) -> str:
    found = [getattr(e.scores[name], figure) for e in evaluations if name in e.scores]
    spread = f" ± {statistics.stdev(found):.2g}" if len(found) > 1 else ""
    return f"{statistics.mean(found):.3g}{spread}"


if __name__ == "__main__":
    main()
