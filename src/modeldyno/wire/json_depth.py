"""How deep a JSON document may be nested."""

import re

from modeldyno.wire.errors import WireError

_MOST_LEVELS = 100
"""Of nesting in a document, as in Triton (src/http_server.cc)."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
"""A string of valid JSON; on anything else it could take time that grows with the square of the length."""


def check_depth(document: bytes) -> None:
    """Valid JSON must not be nested too deep; the parser's own limit is that of the interpreter's stack.

    Args:
        document: valid JSON.

    Raises:
        WireError: it is nested too deep.
    """
    if document.count(b"[") + document.count(b"{") <= _MOST_LEVELS:
        return
    depth = 0
    for sign in _TEXT.sub(b"", document):
        if sign in b"[{":
            depth += 1
            if depth > _MOST_LEVELS:
                raise WireError(f"the JSON is nested more than {_MOST_LEVELS} levels deep")
        elif sign in b"]}":
            depth -= 1
