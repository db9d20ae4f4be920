"""How pieces of work are spread over a Ray cluster: one row of a data set is one piece.

Actors build what they work with once, in their own process. Only a small record of each piece comes
back; what was made is written by the actor itself.
"""

import logging
import os
import pickle
import re
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Generic, TypeVar

import pyarrow as pa
import ray
import ray.data
import ray.exceptions
from ray.util.annotations import RayDeprecationWarning

from unitaf.config import RunConfig
from unitaf.errors import BackendError, ConfigError, UnitafError

_MAX_DEATHS = 4
"""How often a worker is started again after it died; its pieces are tried as often."""

_ANSWER_S = 10.0
"""How long the cluster of RAY_ADDRESS may take to answer; Ray itself tries for minutes."""

_RAISED = re.compile(r"^[A-Za-z_][\w.]*: .*$", re.MULTILINE)

Piece = TypeVar("Piece")
Record = TypeVar("Record")


class _Actor:
    """Works off pieces in a Ray worker.

    Args:
        build: Gives the function that works one piece off; called once, when the first one comes.
    """

    def __init__(self, build: Callable[[], Callable[[Any], Any]]) -> None:
        self._build = build

    @cached_property
    def _work(self) -> Callable[[Any], Any]:
        return self._build()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Work off the pieces of a batch; an error of ours goes back as a value, not as Ray's."""
        outcomes = []
        for data in batch["piece"].to_pylist():
            try:
                outcome = self._work(pickle.loads(data))
            except UnitafError as error:
                outcome = error
            outcomes.append(pickle.dumps(outcome))
        return pa.table({"outcome": pa.array(outcomes, pa.binary())})


class Pool(Generic[Piece, Record]):
    """Actors on the cluster that is there (a job, an open session) or on a private one.

    Args:
        pieces: What is to be worked off; each is pickled.
        build: Gives the function that works one off, in the actor's process; pickled.
        run: How many actors there shall be and what each may use.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        build: Callable[[], Callable[[Piece], Record]],
        run: RunConfig,
    ) -> None:
        self._pieces = pieces
        self._build = build
        self._run = run
        self.num_actors = 0
        """How many are at work, once there are records."""

    def records(self, begin: Callable[[], None]) -> Iterator[Record]:
        """Give the record of every piece as it is done, in any order.

        Args:
            begin: Called once the cluster is there.

        Raises:
            UnitafError: The first that a piece ended with.
            ConfigError: If the actors do not fit on the cluster.
        """
        rows = [{"piece": pickle.dumps(piece)} for piece in self._pieces]
        with ray_running():
            begin()
            self.num_actors = _num_actors(self._run, len(rows))
            outcomes = self._spread(rows)
            for row in _told(outcomes.iter_rows()):
                outcome = pickle.loads(row["outcome"])
                if isinstance(outcome, UnitafError):
                    raise outcome
                yield outcome

    def _spread(self, rows: list[dict[str, bytes]]) -> ray.data.Dataset:
        with warnings.catch_warnings():
            # Ray means to drop these two words, and has no others for them yet. Without them it
            # starts a worker that dies again for ever, without telling.
            warnings.simplefilter("ignore", RayDeprecationWarning)
            return ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
                _Actor,
                fn_constructor_args=(self._build,),
                batch_size=1,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(
                    size=self.num_actors, max_tasks_in_flight_per_actor=2
                ),
                num_cpus=self._run.cpus_per_actor,
                num_gpus=self._run.gpus_per_actor or None,
                max_restarts=_MAX_DEATHS,
                # A piece ends with its worker's last death. Counted on its own, its tries would be
                # used up in vain at a lost node before Ray sees that the node is lost.
                max_task_retries=-1,
            )


def _told(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give rows; tell in a sentence what Ray tells in pages."""
    try:
        yield from rows
    except ray.exceptions.RayTaskError as error:
        # Ray wraps what was raised and keeps it as text only: the first line of that form is it.
        told = _RAISED.search(str(error))
        raise BackendError(f"a worker failed: {told[0] if told else error}") from error
    except ray.exceptions.RayActorError as error:
        raise BackendError(
            f"a worker died {_MAX_DEATHS + 1} times, perhaps for lack of memory: try fewer"
            " run.num_actors or a smaller run.shard_size; what is committed stays"
        ) from error


def _num_actors(run: RunConfig, num_pieces: int) -> int:
    available = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray has no types here
    room = int(available.get("CPU", 0.0) / run.cpus_per_actor)
    if run.gpus_per_actor:
        room = min(room, int(available.get("GPU", 0.0) / run.gpus_per_actor))
    wanted = run.num_actors or room
    if wanted > room:
        raise ConfigError(
            f"run.num_actors: {wanted} actors do not fit on this cluster; there is room for {room}"
        )
    if room == 0:
        raise ConfigError(
            f"run: the cluster has {available.get('CPU', 0):g} CPUs and"
            f" {available.get('GPU', 0):g} GPUs, not enough for one actor;"
            " lower run.cpus_per_actor or run.gpus_per_actor"
        )
    return min(wanted, num_pieces)


@contextmanager
def ray_running() -> Iterator[None]:
    """Use the cluster that is there (a job, an open session), or have a private one for a while.

    Raises:
        ConfigError: If ``RAY_ADDRESS`` names a cluster that is not there.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield
        return
    # Ray's C++ part prints to stderr whatever the levels above; it reads this when it starts.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    address = os.environ.get("RAY_ADDRESS", "")
    _check_answer(address)
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(f"RAY_ADDRESS={address}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answer(address: str) -> None:
    """Refuse an address other than host:port or ray://host:port, or one where nobody listens."""
    if address.startswith(("http://", "https://")):
        raise ConfigError(
            f"RAY_ADDRESS={address}: that is where `ray job submit` sends jobs; unset it to work on"
            " this machine alone, or set it to host:port of a cluster"
        )
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except OSError as error:
        raise ConfigError(
            f"RAY_ADDRESS={address}: no Ray cluster answers there ({error}); unset it to work on"
            " this machine alone"
        ) from error
