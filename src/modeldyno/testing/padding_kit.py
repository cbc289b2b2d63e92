"""Proof that padding does not change a model's answers: each request alone, and padded in a batch with others.

A model that was made for batches of unlike sequences masks what is padded, and answers as if it were not there; one
that was not, takes it for data. Nothing in a signature tells the two apart, so it is tried out.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from modeldyno.policies.padding import PaddingPlan
from modeldyno.protocols import Session, Tensors
from modeldyno.quality.closeness import are_close
from modeldyno.records.deployment import Batching, Buckets
from modeldyno.records.signature import Signature
from modeldyno.server.models.merging import merge, own_outputs
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_wishes import OutputWish


def check_padding(
    session: Session,
    batching: Batching,
    samples: Sequence[Tensors],
    *,
    relative_tolerance: float = 1e-4,
    absolute_tolerance: float = 1e-5,
) -> None:
    """Raise what `find_changed_answer` finds.

    Raises:
        AssertionError: padding changes an answer.
    """
    fault = find_changed_answer(
        session,
        batching,
        samples,
        relative_tolerance=relative_tolerance,
        absolute_tolerance=absolute_tolerance,
    )
    if fault is not None:
        raise AssertionError(fault)


def find_changed_answer(
    session: Session,
    batching: Batching,
    samples: Sequence[Tensors],
    *,
    relative_tolerance: float,
    absolute_tolerance: float,
) -> str | None:
    """Say which answer padding changes; None when it changes none.

    For every combination of buckets, requests at both ends of the bucket and between are computed alone and as one
    batch. Shorter and longer requests are made from the samples by cutting and repeating.

    Args:
        session: what computes.
        batching: with the buckets in question.
        samples: requests that the model answers, of any sizes; input name to array.
        relative_tolerance: largest difference of floats, as in `numpy.allclose`.
        absolute_tolerance: as above.

    Raises:
        UsageError: the buckets do not fit the signature.
        ValueError: there is no sample, so nothing can be said.
    """
    if not samples:
        raise ValueError("padding cannot be tried out without a sample")
    plan = PaddingPlan(session.signature, batching)
    for sizes in _combinations(batching.buckets):
        requests = [
            _resized(samples[number % len(samples)], session.signature, lengths) for number, lengths in enumerate(sizes)
        ]
        merged = merge(requests, plan)
        together = session.run(merged.inputs)
        start = 0
        for request, lengths in zip(requests, sizes, strict=True):
            stop = start + request.rows
            own = own_outputs(together, request, slice(start, stop), plan if merged.padding_elements else None)
            start = stop
            for name, expected in session.run(request.inputs).items():
                if not are_close(expected, own[name], relative=relative_tolerance, absolute=absolute_tolerance):
                    shown = ", ".join(f"{dimension} {length}" for dimension, length in lengths.items())
                    return f"output {name!r} of a request with {shown} changes when it is padded in a batch"
    return None


def _combinations(buckets: Sequence[Buckets]) -> Iterator[list[dict[str, int]]]:
    """Lengths of the requests of one batch, for every combination of the dimensions' buckets."""
    ranges = [list(pairwise((0, *bucket.sizes))) for bucket in buckets]
    names = [bucket.dimension for bucket in buckets]
    for chosen in product(*ranges):
        low = {name: below + 1 for name, (below, _) in zip(names, chosen, strict=True)}
        high = {name: end for name, (_, end) in zip(names, chosen, strict=True)}
        middle = {name: (below + 1 + end) // 2 for name, (below, end) in zip(names, chosen, strict=True)}
        # One dimension short and the others long, so that no input is padded in the same places as another.
        mixed = [{**high, name: low[name]} for name in names] if len(names) > 1 else []
        yield [low, high, middle, *mixed]


def _resized(sample: Tensors, signature: Signature, lengths: dict[str, int]) -> InferRequest:
    inputs: dict[str, NDArray[np.generic]] = {}
    for spec in signature.inputs:
        array = sample[spec.name]
        for axis, dimension in enumerate(spec.shape):
            if isinstance(dimension, str) and dimension in lengths:
                array = np.take(array, np.arange(lengths[dimension]) % array.shape[axis], axis=axis)
        inputs[spec.name] = array
    first = inputs[signature.inputs[0].name]
    return InferRequest(
        inputs,
        first.shape[0],
        sum(array.size for array in inputs.values()),
        tuple(array.shape[1:] for array in inputs.values()),
        tuple(OutputWish(spec.name, binary=True) for spec in signature.outputs),
        None,
    )
