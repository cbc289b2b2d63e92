"""The small documents of the protocol: a body may be left out, but what is there must be a document."""

import pytest

from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_documents import check_change, decode_index_filter


def test_a_body_may_be_left_out() -> None:
    check_change("load", b"")
    check_change("unload", b"")
    assert not decode_index_filter(b"")


@pytest.mark.parametrize("body", (b" \t\r\n", b"\n", b"[]", b"{", b"\xff"))
def test_a_body_that_is_no_document_is_refused(body: bytes) -> None:
    for verb in ("load", "unload"):
        with pytest.raises(WireError, match=f"not a valid {verb} request"):
            check_change(verb, body)
    with pytest.raises(WireError, match="not a valid index request"):
        decode_index_filter(body)
