"""`serve`: a bundle as a service."""

import logging
import math
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.api.choices import PLATFORMS, runtime_named
from modeldyno.clock import Clock, SystemClock
from modeldyno.deployment.bundle import open_bundle
from modeldyno.deployment.contents import Contents
from modeldyno.deployment.signing import vouch_of
from modeldyno.errors import InputError
from modeldyno.policies.padding import check_padding
from modeldyno.protocols import Session
from modeldyno.records.bundle import Bundle, Samples
from modeldyno.records.deployment import BatchingChanges, Deployment
from modeldyno.records.server import ProtectionSettings, ServerAccount, ServerSettings
from modeldyno.records.signature import DATATYPES, TensorSpec
from modeldyno.secret import Secret
from modeldyno.server.protection import Protection
from modeldyno.server.serving import ServedModel
from modeldyno.server.serving import serve as serve_models
from modeldyno.testing.padding_kit import find_changed_answer

_LOG = logging.getLogger("modeldyno.server")


def serve(  # noqa: PLR0913 - each is a matter of its own, and all but the first have defaults
    bundle: str | PathLike[str],
    *,
    settings: ServerSettings | None = None,
    protection: ProtectionSettings | None = None,
    trusted_key: str | PathLike[str] | None = None,
    bundle_key: Secret | None = None,
    changes: BatchingChanges | None = None,
    on_ready: Callable[[str, Bundle], None] = lambda _url, _bundle: None,
    on_grpc_ready: Callable[[str], None] = lambda _url: None,
    clock: Clock | None = None,
) -> ServerAccount:
    """Serve a bundle over the Open Inference Protocol until SIGTERM or SIGINT, then drain.

    The bundle is checked first: every file's digest, and every sample's answer on this machine.

    Args:
        bundle: directory written by `tune`.
        settings: host, port and limits; the defaults listen on 127.0.0.1:8000.
        protection: keys and audit log; by default everybody who reaches the port gets in, and nothing is written.
        trusted_key: PEM file with an Ed25519 public key; only a bundle signed for it is served.
        bundle_key: of an encrypted bundle.
        changes: to how the bundle says that requests wait and are batched. Padding is switched on only where it
            leaves the answers to the bundle's samples as they are; else that is logged.
        on_ready: called with the base URL once requests are answered.
        on_grpc_ready: called with the URL of gRPC just before, if the settings have a port for it.
        clock: the clock to stamp with.

    Returns:
        What became of every accepted request.

    Raises:
        InputError: not a bundle, damaged, or its answers differ here from those it was proven with; a file for
            protection is missing or is something else.
        TrustError: it is not signed for `trusted_key`, or loading it would run code.
        OutputError: the audit log cannot be written.
        UsageError: the port is in use, or the changes contradict one another or the model's signature.
    """
    clock, directory = clock or SystemClock(), Path(bundle)
    vouch = None if trusted_key is None else vouch_of(Path(trusted_key))
    opened = open_bundle(directory, vouch=vouch, opens_encrypted=True)
    with (
        Contents(directory, opened, key=bundle_key, in_memory=vouch is not None) as contents,
        Protection(protection or ProtectionSettings(), clock=clock) as guarding,
    ):
        return _serve(
            opened,
            contents,
            settings or ServerSettings(),
            guarding,
            changes=changes or BatchingChanges(),
            clock=clock,
            on_ready=on_ready,
            on_grpc_ready=on_grpc_ready,
        )


def _serve(
    opened: Bundle,
    contents: Contents,
    settings: ServerSettings,
    protection: Protection,
    *,
    changes: BatchingChanges,
    clock: Clock,
    on_ready: Callable[[str, Bundle], None],
    on_grpc_ready: Callable[[str], None],
) -> ServerAccount:
    deployment = changes.apply(opened.deployment)
    sessions = open_sessions(opened, contents)
    try:
        deployment = without_unproven_padding(sessions[0], deployment, contents.samples())
        model = ServedModel(
            name=opened.name,
            version=opened.version,
            platform=PLATFORMS[opened.deployment.runtime],
            signature=opened.signature,
            sessions=sessions,
            deployment=deployment,
            digest=opened.artifact.digest,
            open_session=partial(open_session, opened, contents),
        )
        return serve_models(
            [model],
            settings,
            clock=clock,
            on_ready=lambda url: on_ready(url, opened),
            protection=protection,
            on_grpc_ready=on_grpc_ready,
        )
    finally:
        for session in sessions:
            session.close()


def open_sessions(bundle: Bundle, contents: Contents) -> list[Session]:
    """One session for each instance of a bundle's deployment, every sample asked of each.

    Raises:
        InputError: an answer is not the one that the bundle was proven with.
    """
    sessions: list[Session] = []
    try:
        for _ in range(bundle.deployment.instances):
            sessions.append(open_session(bundle, contents))  # noqa: PERF401 - those that are open are to be closed
    except BaseException:
        for session in sessions:
            session.close()
        raise
    return sessions


def open_session(bundle: Bundle, contents: Contents) -> Session:
    """One session of a bundle's artifact, every sample asked of it.

    Raises:
        InputError: an answer is not the one that the bundle was proven with.
    """
    artifact = contents.path_of(bundle.artifact.path)
    runtime = runtime_named(bundle.deployment.runtime)
    session = runtime.open(artifact, bundle.signature, bundle.deployment.session)
    try:
        check_samples(session, contents.samples(), source=bundle.name)
    except BaseException:
        session.close()
        raise
    return session


def without_unproven_padding(session: Session, deployment: Deployment, samples: Samples) -> Deployment:
    """The deployment, its buckets left out unless padding leaves the samples' answers as they are.

    Raises:
        UsageError: the buckets do not fit the signature.
    """
    if not deployment.batching.buckets:
        return deployment
    check_padding(session.signature, deployment.batching)
    inputs = [
        {spec.name: tensor_of(sample.inputs[spec.name], spec) for spec in session.signature.inputs}
        for sample in samples.samples
    ]
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
