"""Answers of the Open Inference Protocol over HTTP: to the right request, and sometimes a look at the whole."""

import msgspec

from modeldyno.loadgen.readers.plain import plain_answer
from modeldyno.loadgen.transports.connection import Answer
from modeldyno.records.requests import Outcome
from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError
from modeldyno.wire.v2_client import decode_infer_response, header_length

LOOK_AT_EVERY = 64
"""Of the answers on a connection, the first and then one in so many is decoded in full: decoding costs about as much
as all the rest of the sending process."""


class _Identity(msgspec.Struct):
    id: str | None = None


class V2Reader:
    """Holds the `id` of an answer against that of its request, which is its number among the prepared ones.

    A server that leaves the id out is left alone: the protocol has it echoed, but answers are in order all the same.
    """

    streams = False

    def __init__(self) -> None:
        self._which = -1
        self._answers = 0
        self._decoder = msgspec.json.Decoder(_Identity)
        self._headers: dict[bytes, bytes] | None = None
        self._header_length: int | None = None

    def begin(self, which: int) -> None:
        """See `AnswerReader`."""
        self._which = which

    def piece(self, data: bytes, moment_ns: int) -> None:
        """See `AnswerReader`."""

    def read(self, response: HttpResponse) -> Answer:
        """See `AnswerReader`."""
        answer = plain_answer(response)
        if answer.outcome is not Outcome.OK:
            return answer
        try:
            length = self._length(response.headers)
            if self._answers % LOOK_AT_EVERY == 0:
                decode_infer_response(response.body, length)
        except WireError as problem:
            raise MalformedResponseError(problem.message) from problem
        self._answers += 1
        return answer if self._is_ours(response.body, length) else answer._replace(outcome=Outcome.MISMATCHED)

    def _length(self, headers: dict[bytes, bytes]) -> int | None:
        if headers is not self._headers:  # answers with the same head share them
            self._header_length, self._headers = header_length(headers), headers
        return self._header_length

    def _is_ours(self, body: bytes, length: int | None) -> bool:
        # A search of bytes takes a tenth of the time of decoding, and settles nearly all answers. It may find a text
        # among the outputs that looks like the right id; then it says no less than it would without an id.
        end = len(body) if length is None else length
        if body.find(b'"id"', 0, end) < 0 or body.find(b'"dyno-%d"' % self._which, 0, end) >= 0:
            return True
        try:
            found = self._decoder.decode(body[:end]).id
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise MalformedResponseError(str(problem)) from problem
        return not found or found == request_id(self._which)


def request_id(which: int) -> str:
    """The `id` of the prepared request number `which`."""
    return f"dyno-{which}"
