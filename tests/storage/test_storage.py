import itertools
import os
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unitaf.errors import ConfigError, StorageError
from unitaf.storage import (
    Creation,
    ObjectFile,
    Storage,
    check_storage,
    open_storage,
    read_many,
)

RACERS = 16


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Every kind of storage, empty."""
    if request.param == "local":
        return open_storage(str(tmp_path / "store"))
    return open_storage(request.getfixturevalue("s3_store_uri"))


def race(storage: Storage, payloads: list[bytes]) -> list[Creation]:
    start = threading.Barrier(len(payloads))

    def create(data: bytes) -> Creation:
        start.wait()
        return storage.create("race/one", data)

    with ThreadPoolExecutor(len(payloads)) as pool:
        return list(pool.map(create, payloads))


def test_an_object_is_read_as_it_was_created(storage: Storage) -> None:
    data = os.urandom(3_000_000)
    assert not storage.exists("a/b.bin")
    assert storage.create("a/b.bin", data) is Creation.CREATED
    assert storage.exists("a/b.bin")
    assert storage.size("a/b.bin") == len(data)
    assert storage.read("a/b.bin") == data
    assert storage.read_range("a/b.bin", 0, 1) == data[:1]
    assert storage.read_range("a/b.bin", 2_999_000, 1_000) == data[-1_000:]


def test_an_object_may_be_empty(storage: Storage) -> None:
    assert storage.create("empty", b"") is Creation.CREATED
    assert (storage.read("empty"), storage.size("empty")) == (b"", 0)


def test_nothing_is_overwritten(storage: Storage) -> None:
    storage.create("once", b"first")
    assert storage.create("once", b"first") is Creation.IDENTICAL
    for other in (b"other", b"longer than the first", b""):
        created = storage.create("once", other)
        assert created is Creation.TAKEN
        assert not created.holds
    assert storage.read("once") == b"first"


def test_an_object_is_created_from_a_file(storage: Storage, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    source = tmp_path / "source"
    source.write_bytes(data)
    assert storage.create("from/file", source) is Creation.CREATED
    assert storage.read("from/file") == data
    assert storage.create("from/file", source) is Creation.IDENTICAL
    assert storage.create("from/file", data) is Creation.IDENTICAL
    for other in (data[:-1] + bytes([data[-1] ^ 1]), data[:-1], b""):
        source.write_bytes(other)
        assert storage.create("from/file", source) is Creation.TAKEN
    assert storage.read("from/file") == data


def test_of_many_that_race_exactly_one_creates(storage: Storage) -> None:
    payloads = [bytes([i]) * 200_000 for i in range(RACERS)]
    outcomes = race(storage, payloads)
    assert sorted(outcomes, key=list(Creation).index) == [
        Creation.CREATED,
        *[Creation.TAKEN] * (RACERS - 1),
    ]
    assert storage.read("race/one") == payloads[outcomes.index(Creation.CREATED)]
    assert not list(storage.leftovers())


def test_twins_that_race_all_hold_the_object(storage: Storage) -> None:
    outcomes = race(storage, [b"twin" * 50_000] * RACERS)
    assert outcomes.count(Creation.CREATED) == 1
    assert all(outcome.holds for outcome in outcomes)


def test_a_listing_shows_names_sizes_and_times(storage: Storage) -> None:
    names = ["m/0.json", "m/1.json", "m/10.json", "m/2.json", "takes/language=pt-BR/á ü+%41.bin"]
    for name in reversed(names):
        storage.create(name, name.encode())
    rows = list(storage.list())
    assert [row.name for row in rows] == names
    assert [row.size_bytes for row in rows] == [len(name.encode()) for name in names]
    assert all(abs(row.modified_s - time.time()) < 60 for row in rows)
    assert [row.name for row in storage.list("m/1")] == ["m/1.json", "m/10.json"]
    assert [row.name for row in storage.list("takes/")] == names[-1:]
    assert not list(storage.list("nothing/"))


def test_a_listing_goes_over_many_pages(storage: Storage) -> None:
    names = [f"m/{i:04}" for i in range(1_001)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: storage.create(name, b"x"), names))
    assert [row.name for row in storage.list("m/")] == names


def test_a_deleted_object_is_gone_and_may_come_back(storage: Storage) -> None:
    storage.create("a", b"first")
    storage.delete("a")
    storage.delete("a")
    assert not storage.exists("a")
    assert storage.create("a", b"second") is Creation.CREATED
    assert storage.read("a") == b"second"


def test_a_missing_object_is_named(storage: Storage) -> None:
    for read in (storage.read, storage.size, lambda name: storage.read_range(name, 0, 1)):
        with pytest.raises(
            StorageError, match=f"(?i)cannot read {storage.uri}/a/missing: .*no such"
        ):
            read("a/missing")


def test_a_range_must_lie_inside(storage: Storage) -> None:
    storage.create("ten", b"0123456789")
    for start, length in ((8, 3), (10, 1), (99, 1)):
        with pytest.raises(StorageError, match=f"ten: it ends before byte {start + length}"):
            storage.read_range("ten", start, length)
    for start, length in ((-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="start >= 0"):
            storage.read_range("ten", start, length)


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/a", "a\nb", "a\0"])
def test_a_bad_name_is_refused(storage: Storage, name: str) -> None:
    with pytest.raises(ValueError, match="object name"):
        storage.create(name, b"")


def test_a_storage_pickles_by_its_address(storage: Storage) -> None:
    storage.create("a", b"1")
    copy = pickle.loads(pickle.dumps(storage))
    assert copy.uri == storage.uri
    assert open_storage(copy.uri).read("a") == copy.read("a") == b"1"


def test_a_log_grows_and_is_continued(storage: Storage) -> None:
    with storage.open_log("runs/r/progress.ndjson") as log:
        log.append_line('{"lines": 1}')
        assert storage.read("runs/r/progress.ndjson") == b'{"lines": 1}\n'
        log.append_line('{"speaker": "Zoë"}')
    with storage.open_log("runs/r/progress.ndjson") as log:
        log.append_line("{}")
    lines = storage.read("runs/r/progress.ndjson").decode().split("\n")
    assert lines == ['{"lines": 1}', '{"speaker": "Zoë"}', "{}", ""]


def test_many_objects_are_read_in_order_and_only_as_they_are_needed(storage: Storage) -> None:
    for i in range(8):
        storage.create(str(i), bytes([i]))
    asked = []

    def endless() -> Iterator[str]:
        for i in itertools.count():
            asked.append(i)
            yield str(i % 8)

    reader = read_many(storage, endless(), threads=4)
    pairs = list(itertools.islice(reader, 50))
    reader.close()
    assert pairs == [(str(i % 8), bytes([i % 8])) for i in range(50)]
    assert len(asked) <= 50 + 2 * 4


def test_a_missing_one_of_many_is_named(storage: Storage) -> None:
    storage.create("0", b"")
    with pytest.raises(StorageError, match="missing"):
        list(read_many(storage, ["0", "missing", "0"]))


def test_parquet_is_read_by_ranges(storage: Storage) -> None:
    table = pa.table({"id": range(1_000), "audio": [os.urandom(1_000) for _ in range(1_000)]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=50)
    storage.create("t.parquet", sink.getvalue().to_pybytes())
    with ObjectFile(storage, "t.parquet") as file:
        assert pq.ParquetFile(file).read_row_group(7).equals(table.slice(350, 50))
        file.seek(-4, os.SEEK_END)
        assert file.read() == b"PAR1"
        assert file.read(1) == b""


def test_a_good_storage_passes_the_check_and_is_as_before(storage: Storage) -> None:
    check_storage(storage.uri)
    assert not list(storage.list())
    assert not list(storage.leftovers())


@pytest.mark.parametrize(
    "uri",
    ["", "gs://bucket/a", "s3://", "s3:///a", "s3://bucket//a", "s3://b/../a", "file://host/a"],
)
def test_a_bad_address_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=f"store '{uri}'"):
        open_storage(uri)


def test_patience_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="patience_s must be positive, not 0"):
        open_storage(str(tmp_path), patience_s=0)


def test_a_folder_is_opened_by_path_or_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my store"
    for uri in (str(folder), "my store", "./my store/", f"file://{tmp_path}/my%20store"):
        assert open_storage(uri).uri == str(folder)
    assert not folder.exists()


@pytest.mark.usefixtures("s3_store_uri")
def test_a_bucket_is_opened_with_or_without_prefix() -> None:
    for uri in ("s3://takes/", "s3://takes/a/b/"):
        assert open_storage(uri).uri == uri.rstrip("/")
    storage = open_storage("s3://takes")
    storage.create("at-the-root", b"1")
    assert "at-the-root" in [row.name for row in storage.list("at-")]
    storage.delete("at-the-root")
