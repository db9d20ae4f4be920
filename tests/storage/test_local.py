import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unitaf.errors import StorageError
from unitaf.storage import Creation, open_storage

SIZE = 8 << 20

WRITER = """
import itertools, sys
from unitaf.storage import open_storage
storage = open_storage(sys.argv[1])
for i in itertools.count():
    storage.create(f"payload/{i:06}", bytes([i % 256]) * int(sys.argv[2]))
"""

DYING_WRITER = """
import os, signal, sys
from unitaf.storage import open_storage
call = getattr(os, sys.argv[2])
def die(*args):
    call(*args)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], die)
open_storage(sys.argv[1]).create("payload/0", b"x" * 1000)
"""

RACER = """
import sys
from unitaf.storage import Creation, open_storage
storage = open_storage(sys.argv[1])
outcomes = [storage.create(f"race/{i}", sys.argv[2].encode()) for i in range(200)]
print(outcomes.count(Creation.CREATED))
"""


@pytest.fixture
def small_disk() -> Iterator[int]:
    """A limit on the size of a file, in bytes: the operating system refuses to write more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    yield 1 << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_writer_killed_in_the_middle_leaves_nothing_half(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(SIZE)]) as writer:
        while not (list(storage.list()) and list(storage.leftovers())):
            assert writer.poll() is None
        writer.kill()
    whole = list(storage.list())
    for row in whole:
        assert storage.read(row.name) == bytes([int(row.name[-6:]) % 256]) * SIZE
    for row in storage.leftovers():
        storage.delete(row.name)
    assert list(storage.list()) == whole
    assert not list(storage.leftovers())


@pytest.mark.parametrize(("last_call", "is_there"), [("fsync", False), ("link", True)])
def test_a_writer_killed_at_the_worst_moment_can_be_followed(
    tmp_path: Path, last_call: str, is_there: bool
) -> None:
    (tmp_path / "payload").mkdir()
    command = [sys.executable, "-c", DYING_WRITER, str(tmp_path), last_call]
    died = subprocess.run(command, check=False)
    assert died.returncode == -signal.SIGKILL
    storage = open_storage(str(tmp_path))
    assert storage.exists("payload/0") is is_there
    assert [row.size_bytes for row in storage.list()] == [1000] * is_there
    for row in storage.leftovers():
        storage.delete(row.name)
    expected = Creation.IDENTICAL if is_there else Creation.CREATED
    assert storage.create("payload/0", b"x" * 1000) is expected
    assert storage.read("payload/0") == b"x" * 1000
    assert os.listdir(tmp_path / "payload") == ["0"]


def test_of_two_processes_one_creates_each_object(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), who], stdout=subprocess.PIPE, text=True
        )
        for who in ("a", "b")
    ]
    assert sum(int(racer.communicate()[0]) for racer in racers) == 200
    assert {row.size_bytes for row in open_storage(str(tmp_path)).list()} == {1}


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, small_disk: int) -> None:
    storage = open_storage(str(tmp_path))
    with pytest.raises(StorageError, match=rf"cannot create {tmp_path}/a/b: File too large"):
        storage.create("a/b", b"x" * (small_disk + 1))
    assert not list(storage.list())
    assert not list(storage.leftovers())


def test_a_disk_without_hard_links_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(source), None, str(target))

    monkeypatch.setattr(os, "link", refuse)
    storage = open_storage(str(tmp_path))
    with pytest.raises(StorageError, match=rf"cannot create {tmp_path}/a: .* no hard links"):
        storage.create("a", b"x")
    assert os.listdir(tmp_path) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "takes").write_bytes(b"")
    for root, name in ((tmp_path, "takes/a"), (tmp_path / "takes", "a"), (tmp_path, "takes/a/b")):
        with pytest.raises(StorageError, match=f"cannot create {tmp_path}/takes/a.*: Not a dir"):
            open_storage(str(root)).create(name, b"x")
    with pytest.raises(StorageError, match=f"cannot create {tmp_path}/takes/log: Not a dir"):
        open_storage(str(tmp_path)).open_log("takes/log")


def test_files_of_others_are_not_listed(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    for path in (".DS_Store", "a/.nfs000", ".git/config", "a/b"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    assert [row.name for row in storage.list()] == ["a/b"]
    assert not list(storage.leftovers())


def test_a_line_of_a_log_is_on_disk_at_once(tmp_path: Path) -> None:
    with open_storage(str(tmp_path)).open_log("runs/log") as log:
        for count in range(1, 4):
            log.append_line("x")
            assert (tmp_path / "runs/log").read_text() == "x\n" * count
