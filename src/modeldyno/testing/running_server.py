"""A real server in a thread, on a free port, a model of fakes to serve, and a plain client to talk to it."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.clock import Clock, SystemClock
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Cache, Deployment
from modeldyno.records.server import ServerAccount, ServerSettings
from modeldyno.records.signature import Signature
from modeldyno.server.network.doors import Urls
from modeldyno.server.protection.protection import Protection
from modeldyno.server.repository.model_source import ModelSource
from modeldyno.server.serving import ServedModel, Server
from modeldyno.testing.sessions import FunctionSession, sum_rows, sum_signature
from modeldyno.wire.v2_client import encode_infer_request

Compute = Callable[[Tensors], dict[str, NDArray[np.generic]]]


def make_model(  # noqa: PLR0913 - what a test does not care about has a default
    compute: Compute = sum_rows,
    signature: Signature | None = None,
    *,
    name: str = "sums",
    version: str = "1",
    instances: int = 1,
    max_rows: int = 1,
    max_delay_ns: int = 0,
    max_queued_rows: int = 4096,
    cache: Cache | None = None,
) -> ServedModel:
    """A model of `FunctionSession`s; adds up rows of four numbers by default."""
    signature = signature or sum_signature()
    return ServedModel(
        name=name,
        version=version,
        platform="fake",
        signature=signature,
        sessions=[FunctionSession(signature, compute) for _ in range(instances)],
        deployment=Deployment(
            artifact="fake",
            runtime="onnxruntime",
            instances=instances,
            batching=Batching(max_rows=max_rows, max_delay_ns=max_delay_ns),
            max_queued_rows=max_queued_rows,
            cache=cache or Cache(),
        ),
    )


class RunningServer:
    """A server in a thread; leaving the block drains it and keeps its account."""

    def __init__(
        self,
        *models: ServedModel,
        settings: ServerSettings,
        protection: Protection | None = None,
        clock: Clock | None = None,
        source: ModelSource | None = None,
    ) -> None:
        self._server = Server(models, settings, clock=clock or SystemClock(), protection=protection, source=source)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.url = ""
        self.account: ServerAccount | None = None

    def _run(self) -> None:
        self.account = self._server.run(self._announce)

    def _announce(self, urls: Urls) -> None:
        self.url = urls["main"]
        self._ready.set()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(30):
            raise TimeoutError("the server was not ready after 30 s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """Begin to drain; a second time, end at once."""
        self._server.stop()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(60)
        if self._thread.is_alive():
            raise TimeoutError("the server did not end within 60 s")

    def wait_refusing(self) -> bool:
        """Try to connect until that is refused: the server has begun to drain."""
        for _ in range(10_000):
            try:
                self.connect().close()
            except ConnectionError:
                return True
        return False

    @property
    def address(self) -> str:
        """Host and port, as tritonclient wants them."""
        return self.url.removeprefix("http://")

    @property
    def grpc_address(self) -> str:
        """Host and port of the gRPC side, when the settings have a `grpc_port`."""
        return self._server.urls["grpc"].partition("://")[2]

    @property
    def metrics_url(self) -> str:
        """Where metrics are answered when the settings have a `metrics_port`."""
        return self._server.urls["metrics"]

    @property
    def admin_url(self) -> str:
        """Where administration is answered when the settings have an `admin_port`."""
        return self._server.urls["admin"]

    @property
    def admin_grpc_address(self) -> str:
        """Host and port where administration is answered over gRPC, when the settings have an `admin_grpc_port`."""
        return self._server.urls["admin-grpc"].partition("://")[2]

    def connect(self) -> "Client":
        """A new connection."""
        return self.connect_to(self.url)

    def connect_to(self, url: str) -> "Client":
        """A new connection to another listener of the server."""
        return connect_to(url)


def connect_to(url: str) -> "Client":
    """A new connection to a server."""
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return Client(socket.create_connection((host, int(port)), timeout=30))


class HttpReply(msgspec.Struct, frozen=True):
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A raw socket that reads HTTP answers."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._stream = connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close both directions."""
        self._stream.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        # A server may have refused and closed already; its answer is still to be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def send_until_refused(self, data: bytes) -> None:
        """Send it again and again, reading nothing, until the server ends the connection."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                self._socket.sendall(data)

    def read(self, *, without_body: bool = False) -> HttpReply:
        """The next answer."""
        status_line = self._stream.readline()
        if not status_line.startswith(b"HTTP/1.1 "):
            raise ConnectionError(f"not an HTTP answer: {status_line!r}")
        headers = {}
        while (line := self._stream.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if without_body else int(headers.get("content-length", "0"))
        return HttpReply(int(status_line.split()[1]), headers, self._stream.read(length))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> HttpReply:
        """Send a request, read its answer."""
        self.send(http_request(method, path, body, **headers))
        return self.read(without_body=method == "HEAD")

    def half_close(self) -> None:
        """End our half: nothing more will be sent."""
        with contextlib.suppress(OSError):  # the server may have ended both
            self._socket.shutdown(socket.SHUT_WR)

    def read_all(self) -> bytes:
        """What comes until the server ends the connection."""
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := self._stream.read1(65_536):
                received += part
        return received

    def is_ended(self) -> bool:
        """Whether the server closed the connection, once it did or sent something more."""
        return self._stream.read(1) == b""


def http_request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes; header names are given with underscores."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def infer_request(rows: list[list[float]], signature: Signature | None = None, *, model: str = "sums") -> bytes:
    """A binary inference request with the input `x`."""
    """A binary request to the model that sums rows."""
    body, header_length = encode_infer_request({"x": np.array(rows, np.float32)}, signature or sum_signature())
    return http_request("POST", f"/v2/models/{model}/infer", body, Inference_Header_Content_Length=str(header_length))
