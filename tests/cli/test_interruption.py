import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unitaf.cli.interruption import interruptible
from unitaf.pipelines.progress import Progress

SLOW = ["--set", "tts.kind=stub", "--set", "run.num_actors=1", "--set", "run.shard_size=16"]


def test_an_interrupt_that_was_lost_is_told_again():
    progress = Progress("make", 1, 2, 0, 1.0, 1.0, 1.0)
    told: list[Progress] = []
    with interruptible(told.append) as tell:
        tell(progress)
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            tell(progress)
    assert told == [progress]


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, ray_cluster: str):
    script = tmp_path / "lines.csv"
    lines = "".join(f"l{i},Line {i} of many.\n" for i in range(30_000))
    script.write_text(f"line_id,text\n{lines}")
    words = ["generate", script, tmp_path / "store", *SLOW]
    command = [sys.executable, "-c", "from unitaf.cli import main; main()", *words]
    env = {**os.environ, "RAY_ADDRESS": ray_cluster}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as run:
        try:
            assert run.stderr is not None
            begun = next((line for line in run.stderr if line.startswith("make: ")), "")
            run.send_signal(signal.SIGINT)
            rest = run.stderr.read()
        finally:
            run.kill()
    assert "of 30,000 lines" in begun
    assert run.returncode == 130
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == (
        "unitaf: interrupted; what is committed stays, run the same again"
    )
