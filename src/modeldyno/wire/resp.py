"""The protocol of Redis (RESP version 2), as far as single keys need it.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/. Version 2 is what every server speaks before it
is asked for another.
"""

from typing import NamedTuple

from modeldyno.wire.errors import WireError

_LONGEST_LINE = 64 * 1024
_END = b"\r\n"


class RedisError(NamedTuple):
    """An answer that says that the command was refused, such as `OOM command not allowed ...`."""

    message: str

    @property
    def code(self) -> str:
        """Its first word."""
        return self.message.partition(" ")[0]


Reply = bytes | int | RedisError | None
"""None is the answer for what is not there."""


def encode_command(*parts: bytes) -> bytes:
    """A command as its words."""
    return b"".join([b"*%d\r\n" % len(parts), *[b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]])


class ReplyReader:
    """Makes answers of bytes, however they are cut.

    Args:
        max_bytes: of one answer.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._needed = 1
        """So many bytes are there before looking is worth it: a large answer comes in many pieces."""

    def feed(self, data: bytes) -> list[Reply]:
        """What is complete now.

        Raises:
            WireError: whoever sends this is no Redis, or an answer is too large.
        """
        buffer = self._buffer
        buffer += data
        replies: list[Reply] = []
        while len(buffer) >= self._needed:
            line_end = buffer.find(_END, 0, _LONGEST_LINE)
            if line_end < 0:
                if len(buffer) >= _LONGEST_LINE:
                    raise WireError(f"not an answer of Redis: {bytes(buffer[:40])!r}")
                self._needed = len(buffer) + 1
                break
            kind, line, end = buffer[:1], bytes(buffer[1:line_end]), line_end + 2
            size = self._size(line) if kind == b"$" else -1
            if size >= 0:
                start, end = end, end + size + 2
                if len(buffer) < end:
                    self._needed = end
                    break
                if buffer[end - 2 : end] != _END:
                    raise WireError("an answer of Redis does not end where it says")
                replies.append(bytes(buffer[start : end - 2]))
            else:
                replies.append(_short(bytes(kind), line))
            del buffer[:end]
            self._needed = 1
        return replies

    def _size(self, line: bytes) -> int:
        size = _number(line)
        if size > self._max_bytes:
            raise WireError(f"an answer of Redis has {size} bytes, more than {self._max_bytes}")
        return size


def _short(kind: bytes, line: bytes) -> Reply:
    """An answer of one line."""
    if kind == b"+":
        return line
    if kind == b"-":
        return RedisError(line.decode("utf-8", "replace"))
    if kind == b":":
        return _number(line)
    if kind == b"$":
        return None
    raise WireError(f"not an answer of Redis: {kind + line[:40]!r}")


def _number(line: bytes) -> int:
    if not line.removeprefix(b"-").isdigit() or len(line) > 20:
        raise WireError(f"not a number in an answer of Redis: {line[:40]!r}")
    return int(line)
