"""The other documents of the Open Inference Protocol v2: errors, health, metadata and the model index."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError

CONTROL_EXTENSIONS = ("model_repository", "model_repository(unload_dependents)")
"""Of a server that loads and unloads."""
EXTENSIONS = (
    "classification",
    *CONTROL_EXTENSIONS,
    "schedule_policy",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
    "statistics",
    "logging",
)
"""Names of Triton's (src/server.cc of triton-inference-server/core), in its order.

`trace` is not among them: its settings are answered, but say that nothing is traced, and cannot be changed.
"""

_LONGEST_ERROR = 2000
LIVE = b'{"live":true}'
READY = b'{"ready":true}'
NOT_READY = b'{"ready":false}'


def encode_error(message: str) -> bytes:
    """The body of every failed call. What a client sent may be in it, but not megabytes of it."""
    if len(message) > _LONGEST_ERROR:
        message = f"{message[:_LONGEST_ERROR]}…"
    return msgspec.json.encode({"error": message})


class ModelState(NamedTuple):
    """One version of one model, in the words of Triton's model repository extension."""

    name: str
    version: str
    """Empty where no version is there."""
    state: Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]
    reason: str
    """Why it is not ready."""


def may_be_asked(state: object) -> bool:
    """Whether a model of this state in an index may answer; many servers tell no state, some one of their own."""
    return state not in ("UNAVAILABLE", "LOADING", "UNLOADING")


def encode_server_metadata(name: str, version: str, *, is_controlled: bool = False) -> bytes:
    """The answer to `GET v2`; `is_controlled`: models can be loaded and unloaded."""
    extensions = [one for one in EXTENSIONS if is_controlled or one not in CONTROL_EXTENSIONS]
    return msgspec.json.encode({"name": name, "version": version, "extensions": extensions})


def encode_model_ready(name: str, *, ready: bool) -> bytes:
    """The answer to `GET v2/models/{name}/ready`."""
    return msgspec.json.encode({"name": name, "ready": ready})


def encode_model_metadata(name: str, versions: Sequence[str], platform: str, signature: Signature) -> bytes:
    """The answer to `GET v2/models/{name}`."""
    return msgspec.json.encode(
        {
            "name": name,
            "versions": versions,
            "platform": platform,
            "inputs": _describe(signature.inputs),
            "outputs": _describe(signature.outputs),
        }
    )


def _describe(specs: Iterable[TensorSpec]) -> list[dict[str, object]]:
    return [{"name": spec.name, "datatype": spec.datatype, "shape": spec.wire_shape} for spec in specs]


def encode_index(models: Iterable[ModelState]) -> bytes:
    """The answer to `POST v2/repository/index`."""
    return msgspec.json.encode([model._asdict() for model in models])


def decode_index_filter(body: bytes | bytearray) -> bool:
    """Whether the request for an index asks for models that are ready, and no others.

    Raises:
        WireError: it is no such request.
    """
    if not body:
        return False
    try:
        return msgspec.json.decode(body, type=_IndexRequest).ready
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise WireError(f"not a valid index request: {problem}") from problem


def check_change(verb: Literal["load", "unload"], body: bytes | bytearray) -> None:
    """Check the request to load or unload a model; there is nothing in it that has to be known.

    Raises:
        WireError: it is no such request, or asks for what is not offered.
    """
    try:
        parameters = msgspec.json.decode(body, type=_Change).parameters if body else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise WireError(f"not a valid {verb} request: {problem}") from problem
    for name in parameters:
        if name == "config" or name.startswith("file:"):
            raise WireError(
                f"the parameter {name!r} is not offered: a model is loaded as its bundle says, whose files are checked"
            )
        if verb == "load" or name != "unload_dependents":
            known = "none is known" if verb == "load" else "only 'unload_dependents' is known"
            raise WireError(f"unknown parameter {name!r} of {verb}; {known}")


class _IndexRequest(msgspec.Struct):
    ready: bool = False


class _Change(msgspec.Struct):
    parameters: dict[str, bool | int | float | str] = {}
