"""The other documents of the Open Inference Protocol v2: errors, health, metadata and the model index."""

from collections.abc import Iterable, Sequence

import msgspec

from modeldyno.records.signature import Signature, TensorSpec

EXTENSIONS = (
    "classification",
    "schedule_policy",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
    "statistics",
    "logging",
)
"""Names of Triton's (src/server.cc of triton-inference-server/core), in its order.

`model_repository` is not among them: the index is answered, but nothing can be loaded or unloaded. Nor is `trace`: its
settings are answered, but say that nothing is traced, and cannot be changed.
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


def encode_server_metadata(name: str, version: str) -> bytes:
    """The answer to `GET v2`."""
    return msgspec.json.encode({"name": name, "version": version, "extensions": EXTENSIONS})


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


def encode_index(models: Iterable[tuple[str, str]], *, ready: bool) -> bytes:
    """The answer to `POST v2/repository/index`: name and version of each model, and its state."""
    state = {"state": "READY", "reason": ""} if ready else {"state": "UNAVAILABLE", "reason": "shutting down"}
    return msgspec.json.encode([{"name": name, "version": version, **state} for name, version in models])
