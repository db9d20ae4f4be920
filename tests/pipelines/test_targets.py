"""Lines with a time to keep, from the script to the catalog."""

from pathlib import Path

import pytest

from unitaf import generate, open_store
from unitaf.config import check_config
from unitaf.pipelines.preview import preview

JOB = {"tts": {"kind": "stub"}, "output": {"fps": 50}, "run": {"num_actors": 1}}

SCRIPT = """\
line_id,text,dub window
free,Sixteen letters.
fits,Sixteen letters.,0.8
long,Sixteen letters.,"1,2"
never,Sixteen letters.,9
bad,Sixteen letters.,soon
"""


def test_targets_are_met_or_flagged(tmp_path: Path, ray_cluster: str) -> None:
    script, store = tmp_path / "s.csv", str(tmp_path / "store")
    script.write_text(SCRIPT.replace("free,Sixteen letters.", "free,Sixteen letters.,"))
    report = generate(script, store, check_config(JOB, "test"))
    assert (report.made, report.rejects, report.off_target) == (4, 1, 1)
    assert report.rejects_by_column == {"dub window": 1}
    catalog = open_store(store).catalog().select(["line_id", "duration_s", "target_s"])
    rows = {row["line_id"]: (row["duration_s"], row["target_s"]) for row in catalog.to_pylist()}
    assert rows["free"] == (pytest.approx(1.0), None)
    assert rows["fits"] == (0.8, 0.8)
    assert rows["long"] == (1.2, 1.2)
    assert rows["never"] == (2.0, 9.0)
    assert len(open_store(store).take("fits").motion.curves) == 40


def test_lines_whose_text_is_too_long_are_made_and_counted(
    tmp_path: Path, ray_cluster: str
) -> None:
    script, store = tmp_path / "s.csv", str(tmp_path / "store")
    script.write_text("line_id,text,max_length\na,Go now.,7\nb,Go now!,6\nc,...,1\n")
    job = check_config(JOB, "test")
    assert preview(script, store, job).too_long == 1
    report = generate(script, store, job)
    assert (report.made, report.rejects, report.too_long) == (2, 1, 1)


def test_edges_are_the_jobs(tmp_path: Path, ray_cluster: str) -> None:
    script, store = tmp_path / "s.csv", str(tmp_path / "store")
    script.write_text("line_id,text\na,Go now.\n")
    hibari = {"kind": "hibari"}
    usual = generate(script, store, check_config({**JOB, "tts": hibari}, "test"))
    output = {"fps": 50, "head_s": 0.05, "tail_s": 0.5}
    edged = generate(script, store, check_config({**JOB, "tts": hibari, "output": output}, "test"))
    assert (usual.made, edged.made) == (1, 1)
    take = open_store(store).take("a")
    assert take.speech.phones[0].end_s == pytest.approx(0.05, abs=0.01)
    tail_s = take.speech.phones[-1].end_s - take.speech.phones[-1].start_s
    assert tail_s == pytest.approx(0.5, abs=1e-4)
