"""Header blocks of HTTP/2 (HPACK, RFC 7541), without state: no dynamic table in either direction.

With a table size of 0 a block means the same whenever it comes, so what was decoded once need not be decoded again:
decoding takes tens of microseconds, and a server's answers carry the same few blocks over and over.
"""

from collections.abc import Iterable

import hpack

from modeldyno.wire.http1_response import MalformedResponseError

Headers = dict[bytes, bytes]
_MOST_REMEMBERED = 256


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
