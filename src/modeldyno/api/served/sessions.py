"""The sessions of a bundle, each asked every sample before it is used."""

import logging
import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.api.artifacts.opening import open_artifact
from modeldyno.bfloat16 import as_numbers, from_numbers
from modeldyno.deployment.contents import Contents
from modeldyno.errors import InputError
from modeldyno.policies.padding import check_padding
from modeldyno.protocols import Session
from modeldyno.quality.closeness import are_close
from modeldyno.records.bundle import Bundle, Sample, Samples
from modeldyno.records.deployment import Deployment
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.testing.padding_kit import find_changed_answer

_LOG = logging.getLogger("modeldyno.server")


def open_sessions(bundle: Bundle, contents: Contents, *, trust: bool = False) -> list[Session]:
    """One session for each instance of a bundle's deployment, every sample asked of each.

    Raises:
        InputError: an answer is not the one that the bundle was proven with.
        TrustError: opening it would run code from it, and `trust` is false.
    """
    sessions: list[Session] = []
    try:
        for _ in range(bundle.deployment.instances):
            sessions.append(open_session(bundle, contents, trust=trust))  # noqa: PERF401 - those that are open are to be closed
    except BaseException:
        for session in sessions:
            session.close()
        raise
    return sessions


def open_session(bundle: Bundle, contents: Contents, *, trust: bool = False) -> Session:
    """One session of a bundle's artifact, every sample asked of it; see `open_sessions`."""
    deployment = bundle.deployment
    session = open_artifact(
        bundle.artifact, deployment.session, runtime=deployment.runtime, place=contents.artifact(), trust=trust
    )
    try:
        check_samples(session, contents.samples(), source=bundle.name)
    except BaseException:
        session.close()
        raise
    return session


def reopen_session(bundle: Bundle, contents: Contents, *, trust: bool = False) -> Session:
    """One session more of a bundle that was opened long ago; its place may hold another by now.

    Raises:
        InputError: it does, or see `open_sessions`.
    """
    contents.check_artifact()
    return open_session(bundle, contents, trust=trust)


def without_unproven_padding(session: Session, deployment: Deployment, samples: Samples) -> Deployment:
    """The deployment, its buckets left out unless padding leaves the samples' answers as they are.

    Raises:
        UsageError: the buckets do not fit the signature.
    """
    if not deployment.batching.buckets:
        return deployment
    check_padding(session.signature, deployment.batching)
    inputs = [inputs_of(sample, session.signature) for sample in samples.samples]
    fault = "there is no sample to try it with"
    if inputs:
        changed = find_changed_answer(
            session,
            deployment.batching,
            inputs,
            relative_tolerance=samples.relative_tolerance,
            absolute_tolerance=samples.absolute_tolerance,
        )
        if changed is None:
            return deployment
        fault = changed
    _LOG.warning("padding is left off: %s", fault)
    batching = msgspec.structs.replace(deployment.batching, buckets=())
    return msgspec.structs.replace(deployment, batching=batching)


def check_samples(session: Session, samples: Samples, *, source: str) -> None:
    """Ask the session every sample and compare with the expected answer; this also warms it up.

    Raises:
        InputError: a sample cannot be computed, or an answer differs beyond the tolerance: the file computes something
            else on this machine.
    """
    for number, sample in enumerate(samples.samples):
        try:
            differing = _differing_output(session, sample, samples)
        except Exception as problem:
            raise InputError(
                f"{source}: sample {number} cannot be computed: {type(problem).__name__}: {problem}",
                why="the artifact or its samples do not fit this machine or this version of the runtime",
                hint="tune again here: dyno tune MODEL --data DATA",
            ) from problem
        if differing is not None:
            raise InputError(
                f"{source}: output {differing!r} of sample {number} is not what it was when the bundle was made",
                why="the artifact answers differently on this machine (processor or library version)",
                hint="tune again here: dyno tune MODEL --data DATA",
            )


def _differing_output(session: Session, sample: Sample, samples: Samples) -> str | None:
    outputs = session.run(inputs_of(sample, session.signature))
    for spec in session.signature.outputs:
        expected = tensor_of(sample.outputs[spec.name], spec)
        if not are_close(
            expected,
            outputs[spec.name],
            relative=samples.relative_tolerance,
            absolute=samples.absolute_tolerance,
        ):
            return spec.name
    return None


def inputs_of(sample: Sample, signature: Signature) -> dict[str, NDArray[np.generic]]:
    """What a sample asks, as tensors."""
    return {spec.name: tensor_of(sample.inputs[spec.name], spec) for spec in signature.inputs}


def tensor_of(values: list, spec: TensorSpec) -> NDArray[np.generic]:  # type: ignore[type-arg]
    """A nested list from a record as the tensor that `spec` describes; BYTES are stored as text."""
    if spec.datatype == "BYTES":
        flat = np.array(values, dtype=object)
        return np.array([str(item).encode() for item in flat.ravel()], dtype=object).reshape(flat.shape)
    if spec.datatype == "BF16":
        return from_numbers(np.array(values, np.float32))
    return np.array(values, dtype=DATATYPES[spec.datatype])


def values_of(tensor: NDArray[np.generic], spec: TensorSpec) -> list:  # type: ignore[type-arg]
    """The inverse of `tensor_of`."""
    if spec.datatype == "BYTES":
        texts = [item.decode("utf-8", "replace") for item in tensor.ravel().tolist()]
        tensor = np.array(texts, dtype=object).reshape(tensor.shape)
    listed: list = as_numbers(tensor).tolist()  # type: ignore[type-arg]
    return listed


def is_storable(tensor: NDArray[np.generic]) -> bool:
    """Whether a tensor survives JSON: NaN and infinity do not."""
    tensor = as_numbers(tensor)
    return tensor.dtype.kind != "f" or all(math.isfinite(item) for item in tensor.ravel().tolist())
