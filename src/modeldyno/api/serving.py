"""`serve`: a bundle as a service."""

import math
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modeldyno.api.choices import PLATFORMS, runtime_named
from modeldyno.clock import Clock, SystemClock
from modeldyno.deployment.bundle import open_bundle, read_samples
from modeldyno.errors import InputError
from modeldyno.protocols import Session
from modeldyno.records.bundle import Bundle, Samples
from modeldyno.records.server import ServerAccount, ServerSettings
from modeldyno.records.signature import DATATYPES, TensorSpec
from modeldyno.server.serving import ServedModel
from modeldyno.server.serving import serve as serve_models


def serve(
    bundle: str | PathLike[str],
    *,
    settings: ServerSettings | None = None,
    on_ready: Callable[[str, Bundle], None] = lambda _url, _bundle: None,
    clock: Clock | None = None,
) -> ServerAccount:
    """Serve a bundle over the Open Inference Protocol until SIGTERM or SIGINT, then drain.

    The bundle is checked first: every file's digest, and every sample's answer on this machine.

    Args:
        bundle: directory written by `tune`.
        settings: host, port and limits; the defaults listen on 127.0.0.1:8000.
        on_ready: called with the base URL once requests are answered.
        clock: the clock to stamp with.

    Returns:
        What became of every accepted request.

    Raises:
        InputError: not a bundle, damaged, or its answers differ here from those it was proven with.
        UsageError: the port is in use.
    """
    clock, directory = clock or SystemClock(), Path(bundle)
    opened = open_bundle(directory)
    sessions = open_sessions(directory, opened)
    try:
        model = ServedModel(
            name=opened.name,
            version=opened.version,
            platform=PLATFORMS[opened.deployment.runtime],
            signature=opened.signature,
            sessions=sessions,
            deployment=opened.deployment,
        )
        return serve_models(
            [model], settings or ServerSettings(), clock=clock, on_ready=lambda url: on_ready(url, opened)
        )
    finally:
        for session in sessions:
            session.close()


def open_sessions(directory: Path, bundle: Bundle) -> list[Session]:
    """One session for each instance of a bundle's deployment, every sample asked of each.

    Raises:
        InputError: an answer is not the one that the bundle was proven with.
    """
    samples = read_samples(directory)
    runtime = runtime_named(bundle.deployment.runtime)
    sessions: list[Session] = []
    try:
        for _ in range(bundle.deployment.instances):
            session = runtime.open(directory / bundle.artifact.path, bundle.signature, bundle.deployment.session)
            sessions.append(session)
            check_samples(session, samples, source=str(directory))
    except BaseException:
        for session in sessions:
            session.close()
        raise
    return sessions


def check_samples(session: Session, samples: Samples, *, source: str) -> None:
    """Ask the session every sample and compare with the expected answer; this also warms it up.

    Raises:
        InputError: an answer differs beyond the tolerance: the file computes something else on this machine.
    """
    for number, sample in enumerate(samples.samples):
        inputs = {spec.name: tensor_of(sample.inputs[spec.name], spec) for spec in session.signature.inputs}
        outputs = session.run(inputs)
        for spec in session.signature.outputs:
            expected = tensor_of(sample.outputs[spec.name], spec)
            if not _is_close(expected, outputs[spec.name], samples):
                raise InputError(
                    f"{source}: output {spec.name!r} of sample {number} is not what it was when the bundle was made",
                    why="the artifact answers differently on this machine (processor or library version)",
                    hint="tune again here: dyno tune MODEL --data DATA",
                )


def _is_close(expected: NDArray[np.generic], actual: NDArray[np.generic], samples: Samples) -> bool:
    if expected.shape != actual.shape:
        return False
    if expected.dtype.kind == "f":
        return np.allclose(
            expected, actual, rtol=samples.relative_tolerance, atol=samples.absolute_tolerance, equal_nan=True
        )
    return bool(np.array_equal(expected, actual))


def tensor_of(values: list, spec: TensorSpec) -> NDArray[np.generic]:  # type: ignore[type-arg]
    """A nested list from a record as the tensor that `spec` describes; BYTES are stored as text."""
    if spec.datatype == "BYTES":
        flat = np.array(values, dtype=object)
        return np.array([str(item).encode() for item in flat.ravel()], dtype=object).reshape(flat.shape)
    return np.array(values, dtype=DATATYPES[spec.datatype])


def values_of(tensor: NDArray[np.generic], spec: TensorSpec) -> list:  # type: ignore[type-arg]
    """The inverse of `tensor_of`."""
    if spec.datatype == "BYTES":
        texts = [item.decode("utf-8", "replace") for item in tensor.ravel().tolist()]
        tensor = np.array(texts, dtype=object).reshape(tensor.shape)
    listed: list = tensor.tolist()  # type: ignore[type-arg]
    return listed


def is_storable(tensor: NDArray[np.generic]) -> bool:
    """Whether a tensor survives JSON: NaN and infinity do not."""
    return tensor.dtype.kind != "f" or all(math.isfinite(item) for item in tensor.ravel().tolist())
