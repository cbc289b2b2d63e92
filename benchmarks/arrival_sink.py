"""An independent witness: a server that notes when each inference request arrives, answers it, and does nothing else.

    python benchmarks/arrival_sink.py STAMPS

The first line on stdout is its port. On SIGTERM it writes to the file STAMPS two int64 nanoseconds of CLOCK_MONOTONIC
for each request: when the kernel took it from the network (SO_TIMESTAMPNS, see socket(7); of several segments read at
once, the last), and when this process had read its first bytes. The second is later by as long as this process took to
wake up, which is no fault of the client and in a virtual machine the larger part of a 99th percentile; so the first is
the truth about a client's schedule. `GET /count` tells how many requests have come.
"""

import array
import re
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

from triton_answers import document, infer_answer

_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("qq")
NO_STAMP = -1
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)


def realtime_ahead_ns() -> int:
    """CLOCK_REALTIME less CLOCK_MONOTONIC: the least hindered of some readings."""
    readings = []
    for _ in range(50):
        before = time.monotonic_ns()
        wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.monotonic_ns()
        readings.append((after - before, wall - (before + after) // 2))
    return min(readings)[1]


class Visitor:
    """One connection: what of its next request has come so far, and when that began."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._pending = b""
        self._arrived = (0, 0)
        self._is_told_to_go_on = False

    def read(self) -> tuple[bytes, tuple[int, int], bytes] | None:
        """Take what is there.

        Returns:
            Path, stamps (kernel's of CLOCK_REALTIME, ours of CLOCK_MONOTONIC) and content of the request that this
            completes; None when none is complete.

        Raises:
            ConnectionError: the client has gone.
        """
        data, notes, _, _ = self.connection.recvmsg(65_536, 64)
        read_ns = time.monotonic_ns()
        if not data:
            raise ConnectionError
        if not self._pending:
            self._arrived = (_kernel_stamp(notes), read_ns)
            self._is_told_to_go_on = False
        self._pending += data
        head_end = self._pending.find(b"\r\n\r\n") + 4
        if head_end < 4:
            return None
        length = _LENGTH.search(self._pending, 0, head_end)
        end = head_end + (int(length[1]) if length else 0)
        if len(self._pending) < end:
            if not self._is_told_to_go_on and _EXPECTS.search(self._pending, 0, head_end):
                self._is_told_to_go_on = True
                self.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        whole, self._pending = self._pending, self._pending[end:]
        return whole.split(b" ", 2)[1], self._arrived, whole[head_end:end]


def _kernel_stamp(notes: list[tuple[int, int, bytes]]) -> int:
    """The kernel's; it switches stamps on in a work item of its own, so that the first data may come without one."""
    for _, kind, content in notes:
        if kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(content)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return NO_STAMP


class Sink:
    """The listening socket, its visitors and the stamps."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.settimeout(0)
        # Inherited by its connections, the data that comes before they are accepted included.
        self._listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._poll = select.epoll()
        self._poll.register(self._listener.fileno(), select.EPOLLIN)
        self._visitors: dict[int, Visitor] = {}
        self.port = int(self._listener.getsockname()[1])
        self.kernel_ns = array.array("q")
        self.read_ns = array.array("q")
        self.is_stopped = False

    def serve(self) -> None:
        """Answer until `is_stopped`."""
        while not self.is_stopped:
            for descriptor, _ in self._poll.poll(0.5):
                visitor = self._visitors.get(descriptor)
                if visitor is None:
                    self._accept()
                else:
                    self._answer(visitor)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._visitors[connection.fileno()] = Visitor(connection)
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def _answer(self, visitor: Visitor) -> None:
        try:
            found = visitor.read()
            if found is None:
                return
            path, (kernel_ns, read_ns), content = found
            if path.endswith(b"/infer"):
                self.kernel_ns.append(kernel_ns)
                self.read_ns.append(read_ns)
                answer = infer_answer(content)
            else:
                answer = document(path, len(self.read_ns))
            visitor.connection.send(answer)
        except ConnectionError:
            descriptor = visitor.connection.fileno()
            self._poll.unregister(descriptor)
            del self._visitors[descriptor]
            visitor.connection.close()


def main() -> None:
    """Serve until SIGTERM, then write the stamps down."""
    sink = Sink()

    def stop(*_: object) -> None:
        sink.is_stopped = True

    signal.signal(signal.SIGTERM, stop)
    ahead_before = realtime_ahead_ns()
    print(sink.port, flush=True)
    sink.serve()
    if abs(realtime_ahead_ns() - ahead_before) > 20_000:
        sys.exit("the wall clock was set while requests came: the kernel's stamps cannot be told on CLOCK_MONOTONIC")
    pairs = array.array("q")
    for kernel_ns, read_ns in zip(sink.kernel_ns, sink.read_ns, strict=True):
        pairs.extend((kernel_ns if kernel_ns == NO_STAMP else kernel_ns - ahead_before, read_ns))
    Path(sys.argv[1]).write_bytes(pairs.tobytes())


if __name__ == "__main__":
    main()
