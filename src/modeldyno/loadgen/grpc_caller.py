"""Single gRPC calls to a server before a load: blocking, with the same keys and certificates as the load."""

import contextlib
import socket

from modeldyno.clock import Clock
from modeldyno.errors import TargetError
from modeldyno.loadgen.access import Access, tls_context
from modeldyno.loadgen.target import find_address, parse_target, unreachable
from modeldyno.units import format_duration
from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_call import CallStatus, pack_call, read_call
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError
from modeldyno.wire.http2_client import Http2Client, StreamReset

TIMEOUT_NS = 5_000_000_000
_READ_BYTES = 1 << 16


class GrpcCaller:
    """Calls a server.

    Args:
        url: `grpc://host:port` or `grpcs://host:port`.
        access: what lets us in.
        clock: for the limit on a call.
        timeout_ns: for each call.

    Raises:
        UsageError: not such a URL.
    """

    def __init__(self, url: str, access: Access | None = None, *, clock: Clock, timeout_ns: int = TIMEOUT_NS) -> None:
        self.url = url
        self._target = parse_target(url)
        self._access = access or Access()
        self._clock = clock
        self._timeout_ns = timeout_ns

    def call(self, path: str, message: bytes) -> tuple[CallStatus, bytes]:
        """How a call on a connection of its own ended, and the message that came back if it ended well.

        Args:
            path: `/package.Service/Method`.
            message: serialised.

        Raises:
            TargetError: the server cannot be reached, does not speak gRPC, or does not answer in time.
            UsageError: a header that gRPC forbids.
        """
        target = self._target
        content = pack_call(
            target.base_path + path,
            target.host_header,
            message,
            is_secure=target.is_encrypted,
            timeout_ns=self._timeout_ns,
            metadata=self._access.headers,
        )
        end_ns = self._clock.now_ns() + self._timeout_ns
        try:
            with contextlib.closing(self._connect()) as connection:
                return read_call(self._exchange(connection, content, end_ns))
        except OSError as problem:
            find_address(target, self._timeout_ns / 1e9, self._access)  # explains what is wrong with the connection
            why = f"no answer within {format_duration(self._timeout_ns)}" if isinstance(problem, TimeoutError) else ""
            raise unreachable(target, why or (problem.strerror or str(problem)).lower()) from problem
        except (MalformedResponseError, WireError) as problem:
            raise self._not_grpc(str(problem)) from problem

    def _connect(self) -> socket.socket:
        target = self._target
        connection = socket.create_connection((target.host, target.port), self._timeout_ns / 1e9)
        if not target.is_encrypted:
            return connection
        try:
            context = tls_context(self._access.encryption(target.host), protocols=("h2",))
            return context.wrap_socket(connection, server_hostname=target.host)
        except BaseException:
            connection.close()
            raise

    def _exchange(self, connection: socket.socket, content: bytes, end_ns: int) -> HttpResponse | StreamReset:
        client = Http2Client()
        outgoing = client.start() + client.request(content)
        while True:
            left_ns = end_ns - self._clock.now_ns()
            if left_ns <= 0:
                raise TimeoutError
            connection.settimeout(left_ns / 1e9)
            if outgoing:
                connection.sendall(outgoing)
            data = connection.recv(_READ_BYTES)
            if not data:
                when = "in the middle of an answer" if client.is_ready else "without a word of HTTP/2"
                raise MalformedResponseError(f"it closed the connection {when} {client.goaway_reason}".strip())
            answer = client.feed(data)
            if answer is not None:
                return answer
            outgoing = client.take_outgoing()

    def _not_grpc(self, why: str) -> TargetError:
        if "HTTP/1" in why:
            hint = f"for the HTTP form of the protocol write {'https' if self._target.is_encrypted else 'http'}://"
        elif "TLS" in why:
            hint = "write grpcs:// for an encrypted connection"
        else:
            hint = "is it the port on which the server speaks gRPC?"
        return TargetError(f"{self.url} does not speak gRPC", why=why, hint=hint)
