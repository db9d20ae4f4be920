"""A real Triton server on loopback, with the Python of `.venv-triton` for its models."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from tests.servers import free_ports

ENVIRONMENT = Path(__file__).parents[2] / ".venv-triton"
"""Made by make; it takes all from `.venv` but numpy and pyarrow, of which Triton 24.10 needs old
ones. Bytes are compared with those of the same environment."""

PYTHON = ENVIRONMENT / "bin" / "python"
STUB_JOB = ("tts.kind=stub", "face.kind=visemes", "output.fps=30")
HIBARI_JOB = ("tts={kind: hibari, speed: 1.25}", "face={kind: auto, style: lively}")
"""What two servers of `tests.conftest` serve."""

_START_S = 120.0
_LEAVE_S = 2.0


class TritonServer:
    """Serves a model repository; can be killed and started again on the same ports.

    Args:
        folder: For its backend and log.
        repository: The models.
    """

    def __init__(self, folder: Path, repository: Path) -> None:
        if not PYTHON.exists():
            raise RuntimeError("there is no .venv-triton: run make .venv-triton/installed")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self._site = ENVIRONMENT / "lib" / version / "site-packages"
        self._repository = repository
        self._folder = folder
        self.http_port, self.grpc_port, self.metrics_port = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        backend = folder / "backends" / "python"
        backend.mkdir(parents=True)
        bundled = self._site / "pytriton" / "tritonserver"
        stubs = bundled / "python_backend_stubs" / version.removeprefix("python")
        for path in (*(bundled / "backends" / "python").iterdir(), *stubs.iterdir()):
            if path.is_file():
                shutil.copy(path, backend)

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.grpc_port}"

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the models."""
        assert self._process is not None
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def start(self) -> None:
        """Start the server and return when all its models are ready."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._site / "pytriton" / "tritonserver" / "bin" / "tritonserver",
                    *self._options(),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._environment(),
            )
        self._wait_until_ready()

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would."""
        if self._process is not None:
            models = self.processes()
            self._process.kill()
            self._process.wait()
            self._process = None
            # Most see that their server has gone; some wait for it for ever.
            _, waiting = psutil.wait_procs(models, timeout=_LEAVE_S)
            for process in waiting:
                process.kill()

    def close(self) -> None:
        """Kill the server and remove what it left behind."""
        self.kill()
        for path in Path("/dev/shm").glob(f"{self._shared_memory}*"):
            path.unlink(missing_ok=True)

    @property
    def _shared_memory(self) -> str:
        return f"unitaf-test-{self.http_port}-"

    def _options(self) -> list[str]:
        return [
            *(f"--model-repository={self._repository}", "--model-control-mode=none"),
            f"--backend-directory={self._folder / 'backends'}",
            *("--http-address=127.0.0.1", f"--http-port={self.http_port}"),
            *("--grpc-address=127.0.0.1", f"--grpc-port={self.grpc_port}"),
            *("--metrics-address=127.0.0.1", f"--metrics-port={self.metrics_port}"),
            *("--allow-gpu-metrics=false", "--exit-timeout-secs=5"),
            f"--backend-config=python,shm-region-prefix-name={self._shared_memory}",
            "--backend-config=python,shm-default-byte-size=1048576",
        ]

    def _environment(self) -> dict[str, str]:
        libraries = (Path(sys.base_prefix, "lib"), self._site / "nvidia_pytriton.libs")
        return {
            **os.environ,
            # The first Python on the path is that of the models.
            "PATH": f"{PYTHON.parent}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
            "OMP_NUM_THREADS": "1",
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with tritonclient.grpc.InferenceServerClient(
                    f"127.0.0.1:{self.grpc_port}"
                ) as client:
                    if client.is_server_ready(client_timeout=1):
                        return
            except InferenceServerException as error:
                if self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"the server did not start: {self.log}") from error
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server is not ready in {_START_S:g} s: {self.log}")
            time.sleep(0.05)


def running(folder: Path) -> Iterator[TritonServer]:
    """Start a server of the repository in a folder; close it in the end."""
    server = TritonServer(folder / "server", folder / "repository")
    try:
        server.start()
        yield server
    finally:
        server.close()
