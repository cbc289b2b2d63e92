"""Header blocks of HTTP/2 (HPACK, RFC 7541), without state: no dynamic table in either direction.

With a table size of 0 a block means the same whenever it comes, so what was decoded once need not be decoded again:
decoding takes tens of microseconds, and a server's answers carry the same few blocks over and over.
"""

from collections.abc import Iterable

import hpack

from modeldyno.wire.http1_response import MalformedResponseError

Headers = dict[bytes, bytes]
_MOST_REMEMBERED = 256
_MOST_BYTES = 64 * 1024
"""What the headers of one request may take as RFC 7541, section 4.1, counts it: names, values, and 32 each."""
_MOST_REMEMBERED_BYTES = 2048
_FIRST_TABLE = 4096
_ASKED = (b":method", b":scheme", b":path", b":authority")
_REQUIRED = frozenset(_ASKED[:3])
_OF_HTTP1 = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


def encode_block(headers: Iterable[tuple[str, str]]) -> bytes:
    """Headers to a block that any decoder understands, whatever came before it.

    Each is sent as "never indexed" (RFC 7541, section 6.2.3), which also keeps keys out of the tables of proxies.

    Args:
        headers: pseudo-headers first, names in lower case.
    """
    return hpack.Encoder().encode([(name, value, True) for name, value in headers], huffman=False)


class BlockReader:
    """Decodes the blocks of one connection whose peer was told that SETTINGS_HEADER_TABLE_SIZE is 0."""

    __slots__ = ("_decoder", "_known")

    def __init__(self) -> None:
        self._decoder = hpack.Decoder()
        self._decoder.header_table_size = self._decoder.max_allowed_table_size = 0
        self._known: dict[bytes, Headers] = {}

    def decode(self, block: bytes) -> Headers:
        """Headers by name; a repeated one's values are joined by `, ` (RFC 9110, section 5.2). Not to be changed.

        Raises:
            MalformedResponseError: it is not a header block, or needs a table.
        """
        known = self._known.get(block)
        if known is not None:
            return known
        headers: Headers = {}
        try:
            for name, value in self._decoder.decode(block, raw=True):
                headers[name] = headers[name] + b", " + value if name in headers else value
        except hpack.HPACKError as problem:
            raise MalformedResponseError(f"an HTTP/2 header block that cannot be decoded: {problem}") from problem
        if len(self._known) >= _MOST_REMEMBERED:  # a server whose every answer differs must not fill the memory
            self._known.clear()
        self._known[block] = headers
        return headers


class RequestBlockReader:
    """Decodes the blocks of one client.

    A client may use a table of 4,096 bytes until it has seen our SETTINGS_HEADER_TABLE_SIZE of 0 (RFC 9113, section
    6.5.2); from then on what was decoded once need not be decoded again.
    """

    __slots__ = ("_decoder", "_known")

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=_MOST_BYTES)
        self._decoder.header_table_size = self._decoder.max_allowed_table_size = _FIRST_TABLE
        self._known: dict[bytes, Headers | None] = {}

    def acknowledge(self) -> None:
        """The client has seen our settings, and has given up its table.

        It should say so in its next block (RFC 7541, section 4.2); encoders that never had a table do not.
        """
        self._decoder.header_table_size = self._decoder.max_allowed_table_size = 0

    def decode(self, block: bytes) -> Headers | None:
        """Headers by name, a repeated one's values joined by `, `; None if no request or trailer may have them.

        Not to be changed by the caller.

        Raises:
            MalformedResponseError: it is not a header block, is too large, or needs a table: all later ones would be
                misunderstood.
        """
        if block in self._known:
            return self._known[block]
        decoder = self._decoder
        try:
            listed = decoder.decode(block, raw=True)
        except hpack.HPACKError as problem:
            raise MalformedResponseError(f"an HTTP/2 header block that cannot be decoded: {problem}") from problem
        headers = _request_headers(listed)
        # A block of a client that may still have a table can mean something else the next time.
        if decoder.max_allowed_table_size == 0 and len(block) <= _MOST_REMEMBERED_BYTES:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[block] = headers
        return headers


def _request_headers(listed: Iterable[tuple[bytes, bytes]]) -> Headers | None:
    """What RFC 9113, sections 8.2 and 8.3, allow in a request; without any pseudo-header it may be a trailer."""
    headers: Headers = {}
    is_regular = False
    for name, value in listed:
        if name.startswith(b":"):
            if is_regular or name not in _ASKED or name in headers:
                return None
        else:
            is_regular = True
            is_forbidden = name in _OF_HTTP1 or (name == b"te" and value != b"trailers")
            if is_forbidden or not name or name != name.lower() or b":" in name:
                return None
        if b"\0" in value or b"\r" in value or b"\n" in value:
            return None
        headers[name] = headers[name] + b", " + value if name in headers else value
    has_pseudo = any(name in headers for name in _ASKED)
    return None if has_pseudo and not headers.keys() >= _REQUIRED else headers
