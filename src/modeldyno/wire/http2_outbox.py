"""What one side of an HTTP/2 connection has to send, as far as the other's windows allow (RFC 9113, section 5.2)."""

from modeldyno.wire.http2_frames import (
    FIRST_WINDOW,
    LARGEST_PAYLOAD,
    LARGEST_WINDOW,
    ErrorCode,
    FrameType,
    format_frame,
    format_headers,
    format_reset,
)

_DATA = int(FrameType.DATA)


class _Unsent:
    """The rest of an answer that waits for room."""

    __slots__ = ("body", "resets", "seen_ns", "trailers")

    def __init__(self) -> None:
        self.body = memoryview(b"")
        self.trailers: bytes | None = None
        self.resets = False
        self.seen_ns: int | None = None
        """When it was first found waiting, since any of it was sent."""


class Outbox:
    """Frames in the order in which they may be sent; answers that wait for room take turns."""

    __slots__ = ("_first_window", "_ready", "_room", "_rooms", "_unsent", "sent_bytes")

    def __init__(self) -> None:
        self._ready: list[bytes] = []
        self._room = self._first_window = FIRST_WINDOW
        self._rooms: dict[int, int] = {}
        """Of the streams whose window is not as it was when they began."""
        self._unsent: dict[int, _Unsent] = {}
        self.sent_bytes = 0
        """Of DATA, since the beginning."""

    @property
    def waiting(self) -> int:
        """How many answers wait for room."""
        return len(self._unsent)

    def waiting_bytes(self, stream: int) -> int:
        """How much of a stream's answer waits for room."""
        unsent = self._unsent.get(stream)
        return 0 if unsent is None else len(unsent.body)

    def take(self) -> bytes:
        """What can be sent now."""
        if not self._ready:
            return b""
        ready, self._ready = self._ready, []
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def push(self, frames: bytes) -> None:
        """Frames that need no room."""
        self._ready.append(frames)

    def send(self, stream: int, head: bytes, body: bytes, trailers: bytes | None, *, resets: bool = False) -> None:
        """DATA, and what goes before and after it.

        Args:
            stream: of which nothing was ended yet.
            head: whole frames.
            body: of any size.
            trailers: a header block that ends the stream; None when more is to come.
            resets: whether RST_STREAM follows: the client is to send no more of its request.
        """
        size = len(body)
        ready = self._ready
        if head:
            ready.append(head)
        if (
            size <= LARGEST_PAYLOAD
            and size <= self._room
            and stream not in self._unsent
            and size <= self._rooms.get(stream, self._first_window)
        ):
            if size:
                ready.append(format_frame(_DATA, 0, stream, body))
                self._room -= size
                self.sent_bytes += size
            if trailers is None:
                self._rooms[stream] = self._rooms.get(stream, self._first_window) - size
            else:
                self._finish(stream, trailers, resets=resets)
            return
        unsent = self._unsent.get(stream)
        if unsent is None:
            unsent = self._unsent[stream] = _Unsent()
        unsent.body = memoryview(bytes(unsent.body) + body if unsent.body else body)
        unsent.trailers, unsent.resets = trailers, resets
        self._flush()

    def resize(self, first_window: int) -> bool:
        """The other side's SETTINGS_INITIAL_WINDOW_SIZE; False if a window would grow too large by it."""
        change = first_window - self._first_window
        self._first_window = first_window
        for stream in {*self._rooms, *self._unsent}:
            room = self._rooms.get(stream, first_window - change) + change  # may be below 0: section 6.9.2
            if room > LARGEST_WINDOW:
                return False
            self._rooms[stream] = room
        self._flush()
        return True

    def widen(self, stream: int, increment: int) -> bool:
        """A WINDOW_UPDATE, on the connection with stream 0; False if its window would grow too large by it."""
        if stream:
            room = self._rooms.get(stream, self._first_window) + increment
            if room > LARGEST_WINDOW:
                return False
            self._rooms[stream] = room
        else:
            self._room += increment
            if self._room > LARGEST_WINDOW:
                return False
        if self._unsent:
            self._flush()
        return True

    def drop(self, stream: int) -> None:
        """Send nothing more on a stream."""
        self._unsent.pop(stream, None)
        self._rooms.pop(stream, None)

    def has(self, stream: int) -> bool:
        """Whether an answer on this stream waits for room."""
        return stream in self._unsent

    def stuck(self, now_ns: int, limit_ns: int) -> list[int]:
        """The streams of which nothing could be sent for so long; to be asked from time to time."""
        late = []
        for stream, unsent in self._unsent.items():
            if unsent.seen_ns is None:
                unsent.seen_ns = now_ns
            elif now_ns - unsent.seen_ns > limit_ns:
                late.append(stream)
        return late

    def _flush(self) -> None:
        """Give each waiting answer a frame in turn, until there is no more room."""
        is_moving = True
        while is_moving:
            is_moving = False
            for stream in list(self._unsent):
                is_moving |= self._send_frame(stream)

    def _send_frame(self, stream: int) -> bool:
        """One frame of a waiting answer; whether there was room for it."""
        unsent = self._unsent[stream]
        room = self._rooms.get(stream, self._first_window)
        size = min(len(unsent.body), LARGEST_PAYLOAD, self._room, room)
        if size <= 0 and unsent.body:
            return False
        if size > 0:
            self._ready.append(format_frame(_DATA, 0, stream, bytes(unsent.body[:size])))
            self._room -= size
            self.sent_bytes += size
            self._rooms[stream] = room - size
            unsent.body = unsent.body[size:]
            unsent.seen_ns = None
        if not unsent.body:
            del self._unsent[stream]
            if unsent.trailers is not None:
                self._finish(stream, unsent.trailers, resets=unsent.resets)
        return True

    def _finish(self, stream: int, trailers: bytes, *, resets: bool) -> None:
        self._rooms.pop(stream, None)
        self._ready.append(format_headers(stream, trailers, end_stream=True))
        if resets:
            self._ready.append(format_reset(stream, ErrorCode.NO_ERROR))
