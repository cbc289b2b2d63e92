"""The link between a supervisor and one worker: messages, and connections with them."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from modeldyno.server.workers.messages import Adopt, FromWorker, ToWorker

_LOG = logging.getLogger("modeldyno.server")
_LARGEST_MESSAGE_BYTES = 1 << 18
_INT_BYTES = struct.calcsize("i")
_ONE_DESCRIPTOR = socket.CMSG_SPACE(_INT_BYTES)
_MESSAGES_AT_ONCE = 64
"""Read in one turn of the loop: a flood of them must not keep it from everything else."""

Heard = TypeVar("Heard")


def new_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a link: SOCK_SEQPACKET keeps messages apart, and a connection with its own (unix(7))."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Link(Generic[Heard]):
    """One end. Nothing here waits: what the other end does not take yet is kept, but for connections.

    Args:
        end: the socket; closed by `close`.
        kinds: the union of the messages that come.
        loop: where.
        on_message: called with each message, and the connection that came with it.
        on_end: called once, when the other end is gone.
    """

    def __init__(
        self,
        end: socket.socket,
        kinds: Any,
        *,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[Heard, socket.socket | None], None],
        on_end: Callable[[], None],
    ) -> None:
        end.settimeout(0.0)
        self._end = end
        self._decoder: msgspec.msgpack.Decoder[Heard] = msgspec.msgpack.Decoder(kinds)
        self._loop = loop
        self._on_message = on_message
        self._on_end = on_end
        # Made once: a buffer of this size made for each message would cost more than all the rest.
        self._buffer = memoryview(bytearray(_LARGEST_MESSAGE_BYTES))
        self._outbox: deque[bytes] = deque()
        self._is_open = True
        loop.add_reader(end, self._read)

    def send(self, message: ToWorker | FromWorker) -> None:
        """Send it now or as soon as the other end takes it; an end that is gone is told to `on_end`."""
        if not self._is_open:
            return
        self._outbox.append(msgspec.msgpack.encode(message))
        if len(self._outbox) == 1:
            self._flush()

    def hand(self, message: Adopt, connection: socket.socket) -> bool:
        """Send a connection, if the other end takes it at once; whether it did. It stays open here, too."""
        if not self._is_open or self._outbox:
            return False
        try:
            socket.send_fds(self._end, [msgspec.msgpack.encode(message)], [connection.fileno()])
        except OSError:  # its queue is full, or it is gone
            return False
        return True

    def close(self) -> None:
        """Hear and say nothing more."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._end)
            self._loop.remove_writer(self._end)
            self._end.close()

    def release(self) -> socket.socket:
        """The socket, blocking, after all that waited was sent: for the last words, when the loop has ended."""
        self._is_open = False
        self._end.settimeout(None)
        with contextlib.suppress(OSError):  # the other end is gone
            while self._outbox:
                self._end.sendall(self._outbox.popleft())
        return self._end

    def _flush(self) -> None:
        try:
            while self._outbox:
                self._end.send(self._outbox[0])
                self._outbox.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._end, self._flush)
            return
        except OSError:  # the reader notices the end
            self._outbox.clear()
        self._loop.remove_writer(self._end)

    def _read(self) -> None:
        for _ in range(_MESSAGES_AT_ONCE):
            if not self._is_open:
                return
            try:
                size, ancillary, _, _ = self._end.recvmsg_into([self._buffer], _ONE_DESCRIPTOR, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                size, ancillary = 0, []
            if not size:
                self.close()
                self._on_end()
                return
            connection = None
            for _level, _kind, content in ancillary:
                connection = socket.socket(fileno=int.from_bytes(content[:_INT_BYTES], sys.byteorder))
            self._on_message(self._decoder.decode(self._buffer[:size]), connection)


def tell(end: socket.socket, message: FromWorker) -> None:
    """Say it on a socket that no loop reads; to nobody, when the other end is gone."""
    with contextlib.suppress(OSError):
        end.sendall(msgspec.msgpack.encode(message))


def take_over(descriptor: int) -> socket.socket:
    """The end of a link that was inherited under this number."""
    own = os.dup(descriptor)  # which no child of this process inherits
    os.close(descriptor)
    return socket.socket(fileno=own)
