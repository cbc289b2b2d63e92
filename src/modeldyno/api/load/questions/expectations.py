"""What answers are held against: a file of the user's, or the server's own answers before the load."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.api.load.questions.check import Check
from modeldyno.data.columns import UNNAMED, Columns, read_columns
from modeldyno.errors import DataError, TargetError
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.readers.expected import DecodeOutputs
from modeldyno.loadgen.wiring import Expectations, PreparedRequest
from modeldyno.records.answers import FROM_REQUEST_FILE
from modeldyno.records.signature import Signature
from modeldyno.wire.errors import WireError
from modeldyno.wire.expected import Expectation, encode_expectation, expect_outputs
from modeldyno.wire.http1_response import HttpResponse

_SUCCESS = ((200, 299),)


def outputs_of_rows(
    check: Check, signature: Signature, places: Sequence[tuple[int, int]], rows: int
) -> list[Expectation]:
    """What is expected of the requests that hold `size` rows from `start` on, from a file of outputs.

    Args:
        check: names the file.
        signature: whose outputs the file's columns or arrays are named after; a file for the only output of a model
            may call it otherwise, or hold its values in columns of any names.
        places: size and first row of each request.
        rows: how many the data have.

    Raises:
        DataError: it cannot be read, has no output of the model, or another number of rows.
    """
    outputs = _outputs(_aligned(check, rows), signature)
    return [
        expect_outputs({name: array[start : start + size] for name, array in outputs.items()}) for size, start in places
    ]


def documents_of_rows(check: Check, indices: Sequence[int], rows: int) -> list[Expectation]:
    """What is expected of the requests made from the rows `indices`: a text is the body, all else is JSON.

    Raises:
        DataError: it cannot be read, or has another number of rows.
    """
    columns = _aligned(check, rows)
    return [_expected_value(columns.value(index)) for index in indices]


def answers_of_server(
    caller: Caller,
    requests: Sequence[PreparedRequest],
    decode: DecodeOutputs | None,
    expected: Sequence[Expectation] | None = None,
) -> list[Expectation]:
    """The server's own answers to every request, asked one after the other without any load.

    Args:
        caller: of the server.
        requests: HTTP requests.
        decode: an answer's outputs; without it answers are JSON documents, or else bytes.
        expected: what is expected of each beside, such as its status.

    Raises:
        TargetError: it cannot be reached, or does not answer one of them as it should.
    """
    found = []
    for number, request in enumerate(requests):
        beside = expected[number] if expected is not None else Expectation()
        reply = caller.call(request.method, request.path, request.body, request.headers)
        if not any(low <= reply.status <= high for low, high in beside.statuses or _SUCCESS):
            raise TargetError(
                f"{caller.url} answers request {number} of the data with status {reply.status}, before any load",
                why=reply.body[:200].decode("utf-8", "replace"),
                hint="a server whose own answers are to be expected has to give them; check the data and the path",
            )
        headers = {name.encode(): value.encode("latin-1", "replace") for name, value in reply.headers.items()}
        response = HttpResponse(reply.status, headers, reply.body, keep_alive=True)
        try:
            answer = _expected_body(reply.body) if decode is None else expect_outputs(decode(response))
        except WireError as problem:
            raise TargetError(
                f"{caller.url} answers request {number} of the data with what the protocol does not have",
                why=problem.message,
            ) from problem
        found.append(msgspec.structs.replace(answer, statuses=beside.statuses, pattern=beside.pattern))
    return found


def expectations(check: Check | None, expected: Sequence[Expectation]) -> Expectations:
    """As the sending processes want them; without a check a request file may still expect something."""
    says_more = any(one.has_content for one in expected)
    check = check or Check(expected=FROM_REQUEST_FILE if says_more else "")
    return Expectations(
        answers=[encode_expectation(one) for one in expected],
        checked_share=check.share,
        tolerance=check.tolerance,
        source=str(check.expected),
    )


def _aligned(check: Check, rows: int) -> Columns:
    columns = read_columns(Path(check.expected))
    if columns.rows != rows:
        raise DataError(
            f"{check.expected} has {columns.rows:,} rows, and the data have {rows:,}",
            why="the expected answers are in the order of the data, one row for each",
        )
    return columns


def _outputs(columns: Columns, signature: Signature) -> dict[str, NDArray[Any]]:
    names = [spec.name for spec in signature.outputs]
    found = {name: columns.array(name) for name in names if name in columns.names}
    if found:
        return found
    if len(names) != 1:
        raise DataError(
            f"{columns.path} has no output of the model",
            why=f"it has {', '.join(columns.names)}; the outputs are {', '.join(names)}",
            hint="name columns or arrays after the outputs",
        )
    arrays = [columns.array(name) for name in columns.names]
    if columns.names == [UNNAMED] or len(arrays) == 1:
        return {names[0]: arrays[0]}
    if any(array.ndim > 1 or array.dtype == object for array in arrays):
        raise DataError(
            f"it is not clear which column of {columns.path} is the output {names[0]!r}",
            why=f"it has {', '.join(columns.names)}",
            hint=f"call one {names[0]}",
        )
    return {names[0]: np.column_stack(arrays)}


def _expected_value(value: object) -> Expectation:
    if isinstance(value, (str, bytes)):
        return Expectation(body=value.encode() if isinstance(value, str) else value)
    return Expectation(document=json.dumps(value).encode())


def _expected_body(body: bytes) -> Expectation:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return Expectation(body=body)
    return Expectation(document=body)
