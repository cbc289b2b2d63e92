"""Rows of tensors to requests, for every protocol that carries tensors: from data, or made in one shape or several."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from modeldyno.api.load.questions.ask import DISTINCT_BYTES, DISTINCT_REQUESTS, Ask, Prepared
from modeldyno.api.load.questions.expectations import answers_of_server, expectations, outputs_of_rows
from modeldyno.data.files import open_dataset
from modeldyno.data.lengths import length_choices
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import DataError, UsageError
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.readers.expected import DecodeOutputs
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.protocols import Dataset, Tensors
from modeldyno.records.signature import Signature
from modeldyno.records.workload import KindShare
from modeldyno.wire.expected import Expectation

Encode = Callable[[int, Tensors, int], PreparedRequest]
"""From a request's number among the prepared ones, its inputs and its rows."""


def prepare_tensors(
    ask: Ask, signature: Signature, sizes: Sequence[int], seed: int, *, encode: Encode
) -> tuple[Prepared, list[Expectation]]:
    """Up to `Ask.most_requests` different requests over the rows, encoded once, the same number of each size or shape.

    Returns:
        The requests, and what a file of the user's expects of each; nothing without one.

    Raises:
        DataError: the data cannot be read, do not fit, or hold fewer rows than a request.
        UsageError: things that do not go together.
    """
    if ask.lengths:
        return _prepare_shapes(ask, signature, sizes, seed, encode), []
    dataset = (
        synthetic_dataset(signature, rows=_rows_to_make(ask, signature, {}, sizes), seed=seed)
        if ask.data is None
        else open_dataset(Path(ask.data), signature, label=ask.label)
    )
    fitting = DISTINCT_BYTES // (_row_bytes(dataset) * max(sizes))
    most = min(ask.most_requests, fitting)
    places = starts_of(dataset.rows, *sizes, most=most) if ask.distinct is None else unlike(dataset, sizes, most)
    requests = [
        encode(number, dataset.inputs(start, start + size), size) for number, (size, start) in enumerate(places)
    ]
    expected = []
    if ask.check is not None and not ask.is_checked_against_server:
        if ask.data is None:
            raise UsageError("expected answers need the data that they are the answers to", hint="--data FILE")
        expected = outputs_of_rows(ask.check, signature, places, dataset.rows)
    description = None if ask.data is None else dataset.describe()
    return Prepared(requests=requests, digest=dataset.digest, description=description), expected


def checked(url: str, ask: Ask, prepared: Prepared, expected: Sequence[Expectation], decode: DecodeOutputs) -> Prepared:
    """With what the answers are held against, the server's own asked for over HTTP where that is wished."""
    if ask.check is None:
        return prepared
    if ask.is_checked_against_server:
        expected = answers_of_server(Caller(url, ask.access), prepared.requests, decode)
    return replace(prepared, expectations=expectations(ask.check, expected))


def _prepare_shapes(ask: Ask, signature: Signature, sizes: Sequence[int], seed: int, encode: Encode) -> Prepared:
    if ask.data is not None:
        raise UsageError("shapes are for made rows, and data have their own", hint="leave out --shape or --data")
    if len(sizes) > 1:
        raise UsageError("a mix of rows and a mix of shapes cannot be had at once", hint="give --rows one size")
    if ask.check is not None and not ask.is_checked_against_server:
        raise UsageError("expected answers need the data that they are the answers to", hint="leave out --shape")
    choices = length_choices(ask.lengths, signature)
    requests: list[PreparedRequest] = []
    digests = []
    for choice in choices:
        rows = _rows_to_make(ask, signature, choice.lengths, sizes, share=len(choices))
        dataset = synthetic_dataset(signature, rows=rows, seed=seed, lengths=choice.lengths)
        digests.append(dataset.digest)
        for size, start in starts_of(rows, *sizes, most=ask.most_requests // len(choices)):
            inputs = dataset.inputs(start, start + size)
            requests.append(encode(len(requests), inputs, size)._replace(kind=choice.name))
    mix = tuple(KindShare(kind=choice.name, share=choice.share) for choice in choices)
    return Prepared(requests=requests, kinds=mix if len(mix) > 1 else (), digest=" ".join(digests))


def _rows_to_make(
    ask: Ask, signature: Signature, lengths: Mapping[str, int], sizes: Sequence[int], *, share: int = 1
) -> int:
    """So many that requests differ, but no more than memory has room for."""
    wanted = DISTINCT_REQUESTS if ask.distinct is None else ask.distinct * max(sizes)
    row_bytes = _row_bytes(synthetic_dataset(signature, rows=1, seed=0, lengths=lengths))
    return max(1, min(wanted, DISTINCT_BYTES // row_bytes) // share, *sizes)


def _row_bytes(dataset: Dataset) -> int:
    return max(1, sum(array.nbytes for array in dataset.inputs(0, 1).values()))


def starts_of(rows: int, *sizes: int, most: int = DISTINCT_REQUESTS) -> list[tuple[int, int]]:
    """Size and first row of every request to prepare: the same number of each size, at least one.

    Args:
        rows: of the data.
        sizes: rows in a request.
        most: no more than that together.

    Raises:
        DataError: the data hold fewer rows than a request.
    """
    places = []
    for size in sizes:
        if size > rows:
            raise DataError(f"the data hold {rows:,} rows, and a request of {size:,} rows is to be sent")
        starts = range(0, rows - size + 1, size)[: max(1, most // len(sizes))]
        places += [(size, start) for start in starts]
    return places


def unlike(dataset: Dataset, sizes: Sequence[int], most: int) -> list[tuple[int, int]]:
    """As `starts_of`, without requests whose inputs are those of an earlier one; rows are read until there are enough.

    Raises:
        DataError: the data hold fewer rows than a request.
    """
    starts_of(dataset.rows, *sizes, most=1)  # whether every size fits
    places = []
    for size in sizes:
        seen: set[bytes] = set()
        for start in range(0, dataset.rows - size + 1, size):
            asked = digest_of(dataset.inputs(start, start + size))
            if asked not in seen:
                seen.add(asked)
                places.append((size, start))
            if len(seen) == max(1, most // len(sizes)):
                break
    return places


def digest_of(inputs: Tensors) -> bytes:
    """32 bytes that are equal for equal tensors, and for no others."""
    digest = sha256()
    for name, array in sorted(inputs.items()):
        content = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
        digest.update(f"{name} {array.shape} {len(content)} ".encode() + content)
    return digest.digest()
