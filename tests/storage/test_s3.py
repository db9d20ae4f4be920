import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import READER, Fault, FaultProxy, SeaweedFS
from unitaf.errors import StorageError
from unitaf.storage import Creation, Storage, check_storage, open_storage, read_many

WRITERS = 8


@pytest.fixture
def proxy(
    seaweed: SeaweedFS, s3_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultProxy]:
    """A proxy between the store and its server; harmless until a test says otherwise."""
    assert s3_store_uri
    with FaultProxy(seaweed.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


def failure(call: Callable[[], object]) -> str:
    """Return the one sentence that a call fails with, untried a second time."""
    with pytest.raises(StorageError) as caught:
        call()
    message = str(caught.value)
    assert "gave up" not in message
    assert "\n" not in message
    return message


def test_a_server_killed_and_restarted_loses_nothing(seaweed: SeaweedFS, s3_store_uri: str) -> None:
    storage = open_storage(s3_store_uri)
    acknowledged: list[str] = []
    progress = threading.Semaphore(0)
    restarted = threading.Event()

    def write(writer: int) -> None:
        num_after = 0
        while num_after < 3:
            name = f"{writer}/{len(acknowledged)}"
            num_after += restarted.is_set()
            assert storage.create(name, name.encode() * 5_000).holds
            acknowledged.append(name)
            progress.release()

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, writer) for writer in range(WRITERS)]
        for _ in range(3 * WRITERS):
            progress.acquire()
        seaweed.kill()
        seaweed.start()
        restarted.set()
        for writer in writers:
            writer.result()
    held = dict(read_many(storage, acknowledged))
    assert held == {name: name.encode() * 5_000 for name in acknowledged}
    assert {row.name for row in storage.list()} == set(acknowledged)


def test_an_upload_cut_in_the_middle_shows_nothing(proxy: FaultProxy, s3_store_uri: str) -> None:
    data = os.urandom(2_000_000)
    hasty, patient = open_storage(s3_store_uri, patience_s=0.05), open_storage(s3_store_uri)
    proxy.faults.append(Fault.CUT_REQUEST)
    with pytest.raises(StorageError, match="gave up"):
        hasty.create("a", data)
    assert not patient.exists("a")
    assert not list(patient.list())
    proxy.faults.append(Fault.CUT_REQUEST)
    assert patient.create("a", data) is Creation.CREATED
    assert patient.read("a") == data


def test_a_creation_whose_answer_was_lost_is_recognised(
    proxy: FaultProxy, s3_store_uri: str
) -> None:
    storage = open_storage(s3_store_uri)
    proxy.faults.append(Fault.LOSE_ANSWER)
    created = storage.create("a", b"mine")
    assert created is Creation.IDENTICAL
    assert created.holds
    proxy.faults.append(Fault.LOSE_ANSWER)
    assert storage.create("a", b"other") is Creation.TAKEN
    assert storage.read("a") == b"mine"


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.LOSE_REQUEST, Fault.CUT_ANSWER])
def test_a_storm_that_passes_is_survived(
    proxy: FaultProxy, s3_store_uri: str, fault: Fault
) -> None:
    storage = open_storage(s3_store_uri)
    storage.create("a", b"0123456789")
    for call in (
        lambda: storage.read("a") == b"0123456789",
        lambda: storage.read_range("a", 2, 5) == b"23456",
        lambda: [row.name for row in storage.list()] == ["a"],
    ):
        proxy.faults.extend([fault] * 2)
        assert call()
    assert not proxy.faults
    assert storage.num_retries == 6


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.LOSE_REQUEST, Fault.STALL])
def test_a_storm_without_end_is_given_up(
    proxy: FaultProxy, s3_store_uri: str, fault: Fault
) -> None:
    storage = open_storage(s3_store_uri, patience_s=1.0)
    proxy.standing = fault
    started_s = time.monotonic()
    with pytest.raises(StorageError, match=f"cannot create {s3_store_uri}/a: gave up after 1 s: "):
        storage.create("a", b"x")
    assert time.monotonic() - started_s < 10  # not for ever
    assert len(proxy.requests) <= 5  # pauses of at least 0.05, 0.1, 0.2, 0.4 s


def test_slow_answers_are_waited_for(proxy: FaultProxy, s3_store_uri: str) -> None:
    proxy.delay_s = 0.5
    storage = open_storage(s3_store_uri, patience_s=5.0)
    assert storage.create("a", b"x") is Creation.CREATED
    assert len(proxy.requests) == 1


def test_a_key_that_may_not_write_fails_at_once(
    proxy: FaultProxy, s3_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    storage = open_storage(s3_store_uri)
    message = failure(lambda: storage.create("a", b"x"))
    assert message.startswith(f"cannot create {s3_store_uri}/a: the key may not do this")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("AWS_ACCESS_KEY_ID", "stranger", "check AWS_ACCESS_KEY_ID"),
        ("AWS_SECRET_ACCESS_KEY", "wrong", "check AWS_SECRET_ACCESS_KEY"),
        ("AWS_ACCESS_KEY_ID", None, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("AWS_ENDPOINT_URL", "http://no-such-host.invalid:80", "check AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL", "no-url", "check AWS_ENDPOINT_URL"),
        ("AWS_PROFILE", "nobody", "nobody"),
    ],
)
def test_a_wrong_setting_is_told_at_once(
    s3_store_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str | None,
    advice: str,
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    else:
        monkeypatch.setenv(variable, value)
    message = failure(lambda: check_storage(s3_store_uri))
    assert s3_store_uri in message
    assert advice in message


def test_an_endpoint_where_nothing_listens_is_given_up(
    s3_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    storage = open_storage(s3_store_uri, patience_s=0.5)
    with pytest.raises(StorageError, match=r"gave up after 0.5 s: .*is the server up"):
        storage.read("a")


@pytest.mark.usefixtures("s3_store_uri")
def test_a_bucket_that_is_not_there_is_told_at_once() -> None:
    message = failure(lambda: check_storage("s3://no-such-bucket/a"))
    assert message.startswith("cannot list s3://no-such-bucket/a/: there is no such bucket")
    message = failure(lambda: check_storage("s3://no bucket/a"))
    assert message.startswith("cannot list s3://no bucket/a/: ")
    assert "Invalid bucket name" in message


def test_a_server_that_overwrites_is_refused(proxy: FaultProxy, s3_store_uri: str) -> None:
    proxy.standing = Fault.FORGET_CONDITION
    assert "If-None-Match" in failure(lambda: check_storage(s3_store_uri))
    proxy.standing = Fault.NONE
    assert not list(open_storage(s3_store_uri).leftovers())


def test_the_region_is_the_variable_that_containers_have(
    proxy: FaultProxy, s3_store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    open_storage(s3_store_uri).exists("a")
    assert "/eu-north-1/s3/" in proxy.requests[0][1]["Authorization"]


def test_a_log_that_is_abandoned_is_not_written_again(proxy: FaultProxy, s3_store_uri: str) -> None:
    log = open_storage(s3_store_uri).open_log("log")
    log.append_line("first")
    log.append_line("held back")
    seen = len(proxy.requests)
    log.abandon()
    log.close()
    assert len(proxy.requests) == seen
    assert open_storage(s3_store_uri).read("log") == b"first\n"


def test_a_log_is_written_seldom(proxy: FaultProxy, s3_store_uri: str) -> None:
    storage: Storage = open_storage(s3_store_uri)
    with storage.open_log("log") as log:
        for number in range(1_000):
            log.append_line(str(number))
    assert [method for method, _ in proxy.requests].count("PUT") <= 3
    assert storage.read("log").split() == [str(number).encode() for number in range(1_000)]
