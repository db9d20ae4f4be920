"""Real servers for tests: SeaweedFS as the S3 server, and a proxy before it that does harm.

Everything listens on loopback. A server keeps its ports and its data over `SeaweedFS.kill` and
`SeaweedFS.start`, so a client sees what it would see of a machine that crashed and came back.
"""

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import gettempdir
from typing import Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SECRET = "testsecret"
WRITER, READER = "writer", "reader"
"""Two access keys: the usual one, and one that may not write."""
JOB = "job"
"""An access key with the rights of a job in `cluster/`."""

_POLICY = Path(__file__).parents[1] / "cluster" / "aws" / "iam-policy.json"
_ADMIN = "admin"
_START_S = 60.0


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on, outside the ranges of Ray's workers and of outgoing calls."""
    ports: list[int] = []
    for port in random.sample(range(20001, 32000), 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError(f"fewer than {count} free ports between 20001 and 32000")


class SeaweedFS:
    """A SeaweedFS server that can be killed and started again on the same data.

    Args:
        folder: Where it keeps its data and logs.
    """

    bucket = "takes"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = free_ports(8)
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir(parents=True)
        (folder / "log").mkdir()
        rights = {
            _ADMIN: ["Admin", "Read", "Write", "List", "Tagging"],
            WRITER: ["Read", "Write", "List", "Tagging"],
            READER: ["Read", "List"],
        }
        identities = [
            {"name": key, "credentials": [{"accessKey": key, "secretKey": SECRET}], "actions": may}
            for key, may in rights.items()
        ]
        job = {"name": JOB, "credentials": [{"accessKey": JOB, "secretKey": SECRET}]}
        identities.append({**job, "policyNames": [JOB]})
        policy = _POLICY.read_text().replace("my-bucket", self.bucket)
        rights_of_all = {
            "identities": identities,
            "policies": [{"name": JOB, "content": policy}],
        }
        (folder / "s3.json").write_text(json.dumps(rights_of_all))

    @property
    def port(self) -> int:
        return self._ports[0]

    @property
    def environment(self) -> dict[str, str]:
        """The AWS variables of a user who may read and write."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": WRITER,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def start(self) -> None:
        """Start the server and return when it stores objects."""
        weed = Path(sys.executable).with_name("weed")
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [weed, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "GOMEMLIMIT": "256MiB"},
            )
        self._wait_until_ready()

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Kill the server and remove what it left behind."""
        self.kill()
        for port in self._ports:
            for path in Path(gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)
        shutil.rmtree(self._folder)

    def _arguments(self) -> list[str]:
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = self._ports
        folder = self._folder
        return [
            *(f"-logdir={folder}/log", "-alsologtostderr=false", "-stderrthreshold=3", "server"),
            *(f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-master.port={master}", f"-master.port.grpc={master_grpc}"),
            *(f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}"),
            *("-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}"),
            *(f"-filer.localSocket={folder}/f.sock", "-s3", f"-s3.port={s3}"),
            *(f"-s3.port.grpc={s3_grpc}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *(f"-s3.config={folder}/s3.json", "-s3.allowDeleteBucketNotEmpty=true"),
            *("-master.volumeSizeLimitMB=64", "-volume.max=0", "-master.electionTimeout=1s"),
            *("-volume.preStopSeconds=0", "-master.telemetry=false"),
        ]

    def _wait_until_ready(self) -> None:
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=_ADMIN,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}),
        )
        deadline = time.monotonic() + _START_S
        while True:
            try:  # the first object makes the bucket, which an administrator's may
                client.put_object(Bucket=self.bucket, Key="ready", Body=b"")
            except (BotoCoreError, ClientError) as error:
                if self._process is None or self._process.poll() is not None:
                    output = (self._folder / "output").read_text()
                    raise RuntimeError(f"SeaweedFS did not start: {output}") from error
                if time.monotonic() > deadline:
                    raise TimeoutError(f"SeaweedFS not ready in {_START_S:g} s") from error
                time.sleep(0.05)
            else:
                client.close()
                return


class Fault(Enum):
    """What a proxy does to one request."""

    NONE = auto()
    SLOW_DOWN = auto()
    """Answers 503 SlowDown itself."""
    LOSE_REQUEST = auto()
    """Closes the connection, having passed nothing on."""
    CUT_REQUEST = auto()
    """Passes half of the body on, then closes both connections."""
    LOSE_ANSWER = auto()
    """Passes the request on, then closes the connection instead of answering."""
    CUT_ANSWER = auto()
    """Answers with half of the body, then closes the connection."""
    STALL = auto()
    """Takes the request and answers nothing, as long as the proxy lives."""
    FORGET_CONDITION = auto()
    """Says that all is well if a condition failed, as gateways do that ignore conditions."""


class FaultProxy:
    """An HTTP proxy before a server on loopback that harms the requests it passes on.

    `faults` are taken one a request; when there are none left, `standing` holds. Use it in a
    ``with``.

    Args:
        port: The server's.
    """

    def __init__(self, port: int) -> None:
        self.faults: deque[Fault] = deque()
        self.standing = Fault.NONE
        self.delay_s = 0.0
        """How long every request is held up."""
        self.requests: list[tuple[str, http.client.HTTPMessage]] = []
        """Method and headers of all that came."""
        self.closed = threading.Event()
        self.target = port
        self._server = _ProxyServer(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def next_fault(self) -> Fault:
        try:
            return self.faults.popleft()
        except IndexError:
            return self.standing

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _ProxyServer(ThreadingHTTPServer):
    block_on_close = False
    request_queue_size = 64

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.proxy = proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle is what the tests are about."""


class _ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _ProxyServer

    def do_any(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        proxy.requests.append((self.command, self.headers))
        fault = proxy.next_fault()
        proxy.closed.wait(proxy.delay_s)
        if fault is Fault.STALL:
            proxy.closed.wait()
        if fault in (Fault.STALL, Fault.LOSE_REQUEST):
            self.close_connection = True
        elif fault is Fault.SLOW_DOWN:
            self._answer(503, [], b"<Error><Code>SlowDown</Code><Message>wait</Message></Error>")
        else:
            self._pass_on(body, fault)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = do_any  # noqa: N815 - http.server's names

    def _pass_on(self, body: bytes, fault: Fault) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.proxy.target, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":  # http.server has answered it
                    upstream.putheader(name, value)
            upstream.endheaders()
            if fault is Fault.CUT_REQUEST:
                upstream.send(body[: len(body) // 2])
                self.close_connection = True
                return
            upstream.send(body)
            answer = upstream.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):  # the server is down: so is this connection
            self.close_connection = True
            return
        finally:
            upstream.close()
        if fault is Fault.LOSE_ANSWER:
            self.close_connection = True
            return
        if fault is Fault.FORGET_CONDITION and answer.status == 412:
            self._answer(200, [], b"")
        else:
            self._answer(answer.status, answer.getheaders(), content, fault is Fault.CUT_ANSWER)

    def _answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, is_cut: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = (
            dict(headers).get("Content-Length", "0") if self.command == "HEAD" else len(content)
        )
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if is_cut:
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
