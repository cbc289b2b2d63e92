"""Reading what came back: strictly, so that what another client would stumble over is seen here."""

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import from_numbers
from modeldyno.conformance.endings import BrokenRuleError
from modeldyno.conformance.http_wire import Reply
from modeldyno.quality.closeness import are_close
from modeldyno.records.signature import DATATYPES
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_tensors import decode_binary

HEADER_LENGTH = "Inference-Header-Content-Length"
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5
"""Floats this close are the same answer: servers may batch, and batches round differently."""


class Output(NamedTuple):
    """One output tensor."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: NDArray[np.generic]
    """In row-major order, without a shape."""
    is_binary: bool


class InferAnswer(NamedTuple):
    """A successful answer to an inference request."""

    document: dict[str, Any]
    outputs: tuple[Output, ...]

    @property
    def names(self) -> list[str]:
        """Of the outputs, in the order of the answer."""
        return [output.name for output in self.outputs]


def demand(holds: bool, expected: str, got: str = "") -> None:  # noqa: FBT001 - reads like an assertion
    """Raise BrokenRuleError unless it holds."""
    if not holds:
        raise BrokenRuleError(expected, got)


def demand_status(reply: Reply, *statuses: int) -> None:
    """Raise BrokenRuleError unless the status is one of these."""
    wanted = " or ".join(map(str, statuses))
    demand(reply.status in statuses, f"status {wanted}", f"status {reply.status}")


def strict_json(content: bytes) -> Any:
    """A body as JSON of RFC 8259.

    Raises:
        BrokenRuleError: it is none, for example because it holds NaN.
    """
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise BrokenRuleError("a body of JSON (RFC 8259)", f"the body is no JSON: {problem}") from problem


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def demand_object(reply: Reply) -> dict[str, Any]:
    """The body of an answer 200 as a JSON object.

    Raises:
        BrokenRuleError: another status or body.
    """
    demand_status(reply, 200)
    document = strict_json(reply.body)
    demand(isinstance(document, dict), "a JSON object")
    found: dict[str, Any] = document
    return found


def demand_refusal(reply: Reply) -> None:
    """The answer must be a status 4xx with the error object of the protocol.

    Raises:
        BrokenRuleError: it is not.
    """
    demand(400 <= reply.status < 500, 'a status 4xx with {"error": "..."}', f"status {reply.status}")
    demand_error(reply)


def demand_error(reply: Reply) -> None:
    """The body must be the error object of the protocol.

    Raises:
        BrokenRuleError: it is not.
    """
    expected = f'a body {{"error": "..."}} with the status {reply.status}'
    try:
        document = strict_json(reply.body)
    except BrokenRuleError as problem:
        raise BrokenRuleError(expected, problem.got) from problem
    demand(
        isinstance(document, dict) and isinstance(document.get("error"), str),
        expected,
        "a JSON body without a text called error",
    )


def read_infer(reply: Reply) -> InferAnswer:
    """A successful inference answer, JSON or with binary tensors.

    Raises:
        BrokenRuleError: another status, or not what the protocol says.
    """
    demand_status(reply, 200)
    header = reply.headers.get(HEADER_LENGTH.lower())
    if header is not None:
        demand(header.isdigit(), f"a number in {HEADER_LENGTH}", f"it is {header!r}")
        demand(int(header) <= len(reply.body), f"{HEADER_LENGTH} within the body of {len(reply.body)} bytes", header)
    end = len(reply.body) if header is None else int(header)
    document = strict_json(reply.body[:end])
    demand(isinstance(document, dict), "a JSON object")
    entries = document.get("outputs")
    demand(isinstance(entries, list), "a list called outputs")
    outputs = []
    for entry in entries:
        output, end = _read_output(entry, reply.body, end)
        outputs.append(output)
    demand(end == len(reply.body), "nothing behind the last tensor", f"{len(reply.body) - end} bytes are left over")
    return InferAnswer(document, tuple(outputs))


def _read_output(entry: Any, body: bytes, start: int) -> tuple[Output, int]:
    demand(isinstance(entry, dict), "outputs that are JSON objects")
    name, datatype, shape = entry.get("name"), entry.get("datatype"), entry.get("shape")
    demand(isinstance(name, str), "outputs with a name")
    demand(datatype in DATATYPES, f"a datatype of the protocol for output {name!r}", f"it is {datatype!r}")
    demand(
        isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape),
        f"a shape of whole numbers for output {name!r}",
        f"it is {shape!r}",
    )
    parameters = entry.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        values = _read_data(entry.get("data"), name, datatype, shape)
        return Output(name, datatype, tuple(shape), values, is_binary=False), start
    demand(type(size) is int, f"a whole number as binary_data_size of output {name!r}", f"it is {size!r}")
    demand("data" not in entry, f"output {name!r} either as data or in binary", "it has both")
    left = len(body) - start
    demand(0 <= size <= left, f"{size} bytes of output {name!r}", f"{left} bytes are left in the body")
    try:
        values = decode_binary(datatype, shape, body, start, size).ravel()
    except WireError as problem:
        raise BrokenRuleError(f"binary output {name!r} as its datatype and shape say", str(problem)) from problem
    return Output(name, datatype, tuple(shape), values, is_binary=True), start + size


def _read_data(data: Any, name: str, datatype: str, shape: list[int]) -> NDArray[np.generic]:
    demand(isinstance(data, list), f"a list called data in output {name!r}", f"it is {type(data).__name__}")
    flat = _flattened(data)
    count = int(np.prod(shape, dtype=object))
    demand(len(flat) == count, f"{count} values in output {name!r} of shape {shape}", f"{len(flat)} values")
    kind = {"BOOL": bool, "BYTES": str}.get(datatype, (int, float))
    fitting = all(isinstance(one, kind) and (datatype == "BOOL" or not isinstance(one, bool)) for one in flat)
    demand(fitting, f"JSON values of the datatype {datatype} in output {name!r}")
    if datatype == "BYTES":
        texts = np.empty(count, object)
        texts[:] = [one.encode("utf-8", "surrogatepass") for one in flat]
        return texts
    try:
        if datatype == "BF16":
            return from_numbers(np.array(flat, np.float64))
        values: NDArray[np.generic] = np.array(flat, DATATYPES[datatype])
    except (OverflowError, ValueError) as problem:
        raise BrokenRuleError(f"values within the range of {datatype} in output {name!r}", str(problem)) from problem
    return values


def _flattened(data: list[Any]) -> list[Any]:
    flat: list[Any] = []
    waiting = [iter(data)]
    while waiting:  # not by recursion: what a server sends may be nested deeply
        for one in waiting[-1]:
            if isinstance(one, list):
                waiting.append(iter(one))
                break
            flat.append(one)
        else:
            waiting.pop()
    return flat


def difference(one: InferAnswer, other: InferAnswer) -> str:
    """In which output two answers differ, in words; empty when they are the same."""
    if sorted(one.names) != sorted(other.names):
        return f"outputs {one.names} and {other.names}"
    others = {output.name: output for output in other.outputs}
    for output in one.outputs:
        against = others[output.name]
        if (output.datatype, output.shape) != (against.datatype, against.shape):
            return (
                f"output {output.name!r} is {output.datatype} {list(output.shape)} "
                f"and {against.datatype} {list(against.shape)}"
            )
        if not is_same(output.values, against.values):
            return f"output {output.name!r} has other values"
    return ""


def is_same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Whether two arrays of one shape hold the same values, floats but for rounding."""
    return are_close(one, other, relative=_RELATIVE, absolute=_ABSOLUTE)
