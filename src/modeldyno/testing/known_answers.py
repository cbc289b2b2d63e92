"""The answers of a known server as bytes, right and wrong ones; no socket."""

from http import HTTPStatus
from typing import Literal, NamedTuple

import msgspec

from modeldyno.testing.behaviour import Behaviour
from modeldyno.testing.truth import Fate

METADATA = b"""{"name": "known", "versions": ["1"], "platform": "known",
 "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
 "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 1]}]}"""
INDEX = b'[{"name": "known", "version": "1", "state": "READY"}]'
_NO_BODY = frozenset({204, 205, 304})
"""Statuses that come without a body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5)."""
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_OTHER_ID = "of-another-request"

Way = Literal["plain", "close", "until_close", "chunked"]


class _AskedInput(msgspec.Struct):
    shape: list[int]


class _Asked(msgspec.Struct):
    inputs: list[_AskedInput]
    id: str | None = None


class Reply(NamedTuple):
    """What is written, and what then becomes of the connection."""

    content: bytes
    fate: Fate
    status: int
    then: Literal["keep", "close", "reset"] = "keep"


def fate_of(behaviour: Behaviour, number: int) -> Fate:
    """What the server does to POST `number`, which is counted from 1."""
    for every, fate in (
        (behaviour.status_every, Fate.STATUS),
        (behaviour.reset_every, Fate.RESET),
        (behaviour.truncate_every, Fate.TRUNCATED),
        (behaviour.garbage_every, Fate.GARBAGE),
        (behaviour.silent_every, Fate.SILENT),
        (behaviour.wrong_id_every, Fate.WRONG_ID),
        (behaviour.wrong_answer_every, Fate.WRONG_ANSWER),
    ):
        if every and number % every == 0:
            return fate
    return Fate.ANSWERED


def reply_to(behaviour: Behaviour, number: int, request: bytes, headers: bytes = b"") -> Reply:
    r"""The answer to POST `number`.

    Args:
        behaviour: what the server does.
        number: counted from 1.
        request: its body up to the tensors.
        headers: lines to add, each ended by `\r\n`.
    """
    fate = fate_of(behaviour, number)
    match fate:
        case Fate.RESET:
            return Reply(b"", fate, 0, "reset")
        case Fate.SILENT:
            return Reply(b"", fate, 0)
        case Fate.GARBAGE:
            return Reply(b"PONG\r\n\r\n", fate, 0)
        case Fate.TRUNCATED:
            return Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50, fate, 200, "close")
        case Fate.STATUS:
            turn = number // behaviour.status_every - 1
            return _refusal(behaviour.statuses[turn % len(behaviour.statuses)], headers)
    return _success(_way_of(behaviour, number), fate, infer_answer(request, fate), headers)


def whole(body: bytes, *, status: int = 200, headers: bytes = b"") -> bytes:
    """An answer with a length."""
    length = b"" if status in (204, 304) else b"Content-Length: %d\r\n" % len(body)  # 205 has one, and it is 0
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n%b" % (status, _PHRASES.get(status, b""), length, headers, body)


def infer_answer(request: bytes, fate: Fate = Fate.ANSWERED) -> bytes:
    """A JSON answer of the Open Inference Protocol with a zero for every row of the request, and with its `id`.

    What is not a request of the protocol gets one without outputs.
    """
    try:
        asked = msgspec.json.decode(request, type=_Asked)
    except msgspec.MsgspecError:
        return b'{"outputs": []}'
    rows = asked.inputs[0].shape[0] if asked.inputs and asked.inputs[0].shape else 1
    value = 1.0 if fate == Fate.WRONG_ANSWER else 0.0
    answer: dict[str, object] = {
        "model_name": "known",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [rows, 1], "data": [value] * rows}],
    }
    if asked.id is not None:
        answer["id"] = _OTHER_ID if fate == Fate.WRONG_ID else asked.id
    return msgspec.json.encode(answer)


def _way_of(behaviour: Behaviour, number: int) -> Way:
    ways: tuple[tuple[int, Way], ...] = (
        (behaviour.close_every, "close"),
        (behaviour.until_close_every, "until_close"),
        (behaviour.chunked_every, "chunked"),
    )
    return next((way for every, way in ways if every and number % every == 0), "plain")


def _success(way: Way, fate: Fate, body: bytes, headers: bytes) -> Reply:
    match way:
        case "close":
            return Reply(whole(body, headers=b"Connection: close\r\n" + headers), fate, 200, "close")
        case "until_close":
            return Reply(b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (headers, body), fate, 200, "close")
        case "chunked":
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:1], body[1:]))
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n" % headers
            return Reply(head + chunks + b"0\r\n\r\n", fate, 200)
    return Reply(whole(body, headers=headers), fate, 200)


def _refusal(status: int, headers: bytes) -> Reply:
    if 300 <= status < 400 and status != 304:
        headers += b"Location: /\r\n"
    if status in (429, 503):
        headers += b"Retry-After: 1\r\n"
    body = b"" if status in _NO_BODY else b'{"error": "as told"}'
    return Reply(whole(body, status=status, headers=headers), Fate.STATUS, status)
