"""Answers held against expected ones, after their stamps are taken."""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from modeldyno.loadgen.readers.reader import AnswerReader
from modeldyno.loadgen.transports.connection import Answer
from modeldyno.quality.difference import Difference, document_difference, tensor_difference
from modeldyno.records.requests import Outcome
from modeldyno.wire.errors import WireError
from modeldyno.wire.expected import Expectation, decode_expectation
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError

DecodeOutputs = Callable[[HttpResponse], Mapping[str, NDArray[Any]]]
"""The outputs of an answer by name; raises `WireError`."""

_MOST_SHOWN = 80


class AnswerCheck:
    """What is expected of the answers of one sending process, and how many were as expected.

    Args:
        expected: one for each prepared request, as `wire.expected` encodes them; empty bytes expect nothing.
        share: of the answers, those whose content is looked at.
        tolerance: relative and absolute, for numbers with a fraction.
        decode: of an answer's outputs, when tensors are expected.
        seed: of the draw.
    """

    def __init__(
        self,
        expected: Sequence[bytes],
        *,
        share: float,
        tolerance: float,
        decode: DecodeOutputs | None,
        seed: int,
    ) -> None:
        self._expected = [decode_expectation(one) if one else None for one in expected]
        self._arrays: dict[int, dict[str, NDArray[Any]]] = {}
        self._share = share
        self._tolerance = tolerance
        self._decode = decode
        # Not NumPy's generator: one draw of it takes ten times as long, and nothing here is statistics or a secret.
        self._draw = random.Random(seed).random  # noqa: S311
        self.checked = 0
        self.wrong = 0
        self.example = ""
        """The first wrong answer, in words."""

    def allows_status(self, which: int, status: int) -> bool | None:
        """Whether a status is a right answer to prepared request `which`; None when nothing was said of it."""
        expected = self._expected[which]
        if expected is None or not expected.statuses:
            return None
        return any(low <= status <= high for low, high in expected.statuses)

    def is_right(self, which: int, response: HttpResponse) -> bool:
        """Whether the answer is as expected, or not drawn to be looked at.

        Raises:
            MalformedResponseError: tensors are expected, and it is no answer of the protocol.
        """
        expected = self._expected[which]
        if expected is None or not expected.has_content or (self._share < 1 and self._draw() >= self._share):
            return True
        self.checked += 1
        try:
            found = self._difference(which, expected, response)
        except WireError as problem:
            raise MalformedResponseError(problem.message) from problem
        if found is None:
            return True
        self.wrong += 1
        if not self.example:
            place = f"{found.place}: " if found.place else ""
            self.example = f"request {which} of the data: {place}expected {found.expected}, got {found.received}"
        return False

    def _difference(self, which: int, expected: Expectation, response: HttpResponse) -> Difference | None:
        body = response.body
        if expected.pattern and not re.search(expected.pattern.encode(), body):
            return Difference("", f"something like {expected.pattern}", _shown(body))
        if expected.body is not None and expected.body != body:
            return Difference("", _shown(expected.body), _shown(body))
        if expected.document is not None:
            try:
                received = json.loads(body)  # Python's own, which knows NaN, as the servers that are written in it do
            except (ValueError, RecursionError):
                return Difference("", _shown(expected.document), _shown(body))
            return document_difference(json.loads(expected.document), received, self._tolerance)
        if expected.outputs is not None and self._decode is not None:
            arrays = self._arrays.get(which)
            if arrays is None:
                arrays = self._arrays[which] = expected.arrays()
            return tensor_difference(arrays, self._decode(response), self._tolerance)
        return None


class ExpectedReader:
    """Another reader, whose good answers are looked at once more.

    Args:
        reader: of the protocol.
        check: shared by all connections of a sending process.
    """

    def __init__(self, reader: AnswerReader, check: AnswerCheck) -> None:
        self._reader = reader
        self._check = check
        self._which = -1

    @property
    def streams(self) -> bool:
        """See `AnswerReader`."""
        return self._reader.streams

    def begin(self, which: int) -> None:
        """See `AnswerReader`."""
        self._which = which
        self._reader.begin(which)

    def piece(self, data: bytes, moment_ns: int) -> None:
        """See `AnswerReader`."""
        self._reader.piece(data, moment_ns)

    def read(self, response: HttpResponse) -> Answer:
        """See `AnswerReader`."""
        answer = self._reader.read(response)
        allowed = self._check.allows_status(self._which, response.status)
        if allowed is not None and answer.outcome in (Outcome.OK, Outcome.HTTP_ERROR):
            answer = answer._replace(outcome=Outcome.OK if allowed else Outcome.HTTP_ERROR)
        if answer.outcome is Outcome.OK and not self._check.is_right(self._which, response):
            return answer._replace(outcome=Outcome.WRONG_ANSWER)
        return answer


def _shown(body: bytes) -> str:
    text = body[: _MOST_SHOWN + 1].decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…")
