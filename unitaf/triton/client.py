"""How a Triton server is asked: many lines at once, with deadlines, and again if it was away.

What is tried again, after pauses that double from 0.1 s to 5 s: a server that is not there, not
ready or broken down, and an answer that did not come in time. A bad line never is. Anything else
ends with one sentence that names the server and the model. This module knows nothing about speech.
"""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from unitaf.errors import BackendError, BackendUnavailable, ConfigError, InputError, UnitafError
from unitaf.triton.refusals import read_refusal
from unitaf.triton.tensors import Tensors

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_TRANSIENT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}
_BROKEN = "is not healthy"
"""In the words of an error: the model's process has died; the server has to be started again."""
_UNKNOWN_MODEL = "unknown model"
_CHANNEL = [
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.use_local_subchannel_pool", 1),
]
"""Without the last three, a server that comes back is found up to two minutes later."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked of a server, and how long it is waited for."""

    timeout_s: float = 120.0
    """For one answer, with the time that the request stands in a queue."""
    retry_budget_s: float = 120.0
    """How long one request is tried again after it first failed."""
    max_in_flight: int = 8
    """How many requests are on their way at once."""


class TritonClient:
    """Asks one model of a Triton server.

    Args:
        url: ``grpc://host:port``, or ``grpcs://`` for TLS.
        model: Its name on the server.
        limits: What may be asked at once, and how long.

    Raises:
        ConfigError: If the url is none.
    """

    def __init__(self, url: str, model: str, limits: Limits) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("grpc", "grpcs") or not parts.port or not parts.hostname:
            raise ConfigError(
                f"url {url!r}: give a server as grpc://host:8001 or grpcs://host:8001"
            )
        self._url, self._model, self._limits = url, model, limits
        self._host, self._port = parts.hostname, parts.port
        self._address = parts.netloc
        self._is_secure = parts.scheme == "grpcs"

    @property
    def name(self) -> str:
        """The model and its server, for sentences."""
        return f"model {self._model!r} of {self._url}"

    @property
    def limits(self) -> Limits:
        """What may be asked at once, and how long."""
        return self._limits

    def config(self) -> dict[str, Any]:
        """Return the model's configuration.

        Raises:
            ConfigError: If there is no such machine or model.
            BackendUnavailable: If the server does not answer in time.
        """
        self._check_host()
        pauses = _Pauses(self)
        while True:
            try:
                with tritonclient.grpc.InferenceServerClient(
                    self._address, ssl=self._is_secure, channel_args=_CHANNEL
                ) as client:
                    answer = client.get_model_config(
                        self._model, as_json=True, client_timeout=self._limits.timeout_s
                    )
            except InferenceServerException as error:
                time.sleep(pauses.after(error))
            else:
                config: dict[str, Any] = answer["config"]
                return config

    def ask(self, lines: Sequence[tuple[str, Tensors]]) -> list[Tensors]:
        """Return the answer to every line, in order.

        Args:
            lines: The id of a line, for sentences, and what is sent of it.

        Raises:
            InputError: Naming the first line that the model refuses.
            ConfigError: If there is no such model.
            BackendUnavailable: If the server stays away, or gives no answer in time.
            BackendError: If the model failed.
        """
        outcomes: list[Tensors | InputError] = []
        asyncio.run(self._ask_all(lines, outcomes))
        answers = []
        for outcome in outcomes:
            if isinstance(outcome, InputError):
                raise outcome
            answers.append(outcome)
        return answers

    async def _ask_all(
        self, lines: Sequence[tuple[str, Tensors]], outcomes: list[Tensors | InputError]
    ) -> None:
        """Add the outcome of every line, in order.

        They are not returned: asyncio.run would spell out every number of them, for nobody.
        """
        room = asyncio.Semaphore(self._limits.max_in_flight)
        async with tritonclient.grpc.aio.InferenceServerClient(
            self._address, ssl=self._is_secure, channel_args=_CHANNEL
        ) as client:

            async def ask(line_id: str, tensors: Tensors) -> Tensors | InputError:
                async with room:
                    return await self._ask(client, line_id, tensors)

            outcomes += await asyncio.gather(*(ask(*line) for line in lines))

    async def _ask(
        self, client: tritonclient.grpc.aio.InferenceServerClient, line_id: str, tensors: Tensors
    ) -> Tensors | InputError:
        pauses = _Pauses(self)
        inputs = [_as_input(name, tensor) for name, tensor in tensors.items()]
        while True:
            try:
                answer = await client.infer(
                    self._model,
                    inputs,
                    request_id=line_id,
                    client_timeout=self._limits.timeout_s,
                )
            except InferenceServerException as error:
                refusal = read_refusal(error.message())
                if refusal is not None:
                    return InputError(line_id, refusal.reason, refusal.column)
                await asyncio.sleep(pauses.after(error))
            else:
                names = [output.name for output in answer.get_response().outputs]
                return {name: np.array(answer.as_numpy(name)) for name in names}

    def _check_host(self) -> None:
        try:
            socket.getaddrinfo(self._host, self._port)
        except socket.gaierror as error:
            if error.errno != socket.EAI_AGAIN:
                raise ConfigError(f"{self.name}: no machine is called {self._host!r}") from error


class _Pauses:
    """How long to wait before a request is tried again, until its budget is spent."""

    def __init__(self, client: TritonClient) -> None:
        self._client = client
        self._deadline = float("inf")
        self._longest_s = _FIRST_PAUSE_S

    def after(self, error: InferenceServerException) -> float:
        """Return the seconds to wait after an error.

        Raises:
            UnitafError: If another try would not help, or there is no time for one.
        """
        reason = " ".join(error.message().split())
        status = str(error.status()).rpartition(".")[2]
        if status not in _TRANSIENT and _BROKEN not in reason:
            raise self._final(reason) from error
        if status == "DEADLINE_EXCEEDED":
            reason = f"no answer in {self._client.limits.timeout_s:g} s"
        now = time.monotonic()
        self._deadline = min(self._deadline, now + self._client.limits.retry_budget_s)
        pause_s = self._longest_s * random.uniform(0.5, 1.0)
        if now + pause_s > self._deadline:
            waited = f"gave up after {self._client.limits.retry_budget_s:g} s"
            raise BackendUnavailable(f"{self._client.name}: {waited}: {reason}") from error
        _logger.warning("%s: %s; trying again in %.1f s", self._client.name, reason, pause_s)
        self._longest_s = min(2 * self._longest_s, _LONGEST_PAUSE_S)
        return pause_s

    def _final(self, reason: str) -> UnitafError:
        if _UNKNOWN_MODEL in reason:
            return ConfigError(f"there is no {self._client.name}: {reason}")
        return BackendError(f"{self._client.name}: {reason}")


def _as_input(name: str, tensor: np.ndarray) -> tritonclient.grpc.InferInput:
    given = tritonclient.grpc.InferInput(name, tensor.shape, np_to_triton_dtype(tensor.dtype))
    given.set_data_from_numpy(tensor)
    return given
