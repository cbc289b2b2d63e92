"""The document of `GET v2/models/{name}/config`: how a model is served, in the words of Triton's `model_config.proto`.

Source: extension_model_configuration.md under docs/protocol of triton-inference-server/server; what perf_analyzer reads
of it: src/model_parser.cc of triton-inference-server/perf_analyzer.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from modeldyno.records.deployment import Batching, Deployment, Lane
from modeldyno.records.pipeline import Node
from modeldyno.records.signature import Signature, TensorSpec


def model_config(
    name: str, *, platform: str, signature: Signature, deployment: Deployment, caches: bool = False
) -> dict[str, Any]:
    """The document, as the JSON form of the message `ModelConfig` has it.

    Args:
        name: of the model.
        platform: as in its metadata.
        signature: what it takes and gives.
        deployment: how it is served.
        caches: whether answers are remembered.
    """
    is_batched = signature.has_batch_dimension
    config: dict[str, Any] = {
        "name": name,
        "platform": platform,
        "backend": deployment.runtime,
        # Above 0 it says that the first dimension is the batch, and clients leave it out of the shapes.
        "max_batch_size": deployment.batching.max_rows if is_batched else 0,
        "input": [_describe(spec, is_batched=is_batched) for spec in signature.inputs],
        "output": [_describe(spec, is_batched=is_batched) for spec in signature.outputs],
        "instance_group": [{"name": name, "kind": "KIND_CPU", "count": deployment.instances}],
        "model_transaction_policy": {"decoupled": False},
        "response_cache": {"enable": caches},
    }
    if is_batched and deployment.batching.max_rows > 1:
        config["dynamic_batching"] = _describe_batching(deployment.batching)
    return config


def pipeline_config(name: str, *, platform: str, signature: Signature, graph: Node, max_rows: int) -> dict[str, Any]:
    """The document of a pipeline, whose graph is a parameter.

    It says nothing of `ensemble_scheduling`: clients such as perf_analyzer look the steps of that up by name, and the
    members of a pipeline are not served by themselves; nor has the message a word for a cascade.

    Args:
        name: of the pipeline.
        platform: as in its metadata.
        signature: what it takes and gives.
        graph: what feeds what.
        max_rows: the largest batch that all members take.
    """
    is_batched = signature.has_batch_dimension
    return {
        "name": name,
        "platform": platform,
        "backend": "",
        "max_batch_size": max_rows if is_batched else 0,
        "input": [_describe(spec, is_batched=is_batched) for spec in signature.inputs],
        "output": [_describe(spec, is_batched=is_batched) for spec in signature.outputs],
        "model_transaction_policy": {"decoupled": False},
        "parameters": {"graph": {"string_value": msgspec.json.encode(graph).decode()}},
    }


def encode_model_config(config: dict[str, Any]) -> bytes:
    """The answer."""
    return msgspec.json.encode(config)


def _describe(spec: TensorSpec, *, is_batched: bool) -> dict[str, Any]:
    dims = spec.wire_shape[1:] if is_batched else spec.wire_shape
    described: dict[str, Any] = {
        "name": spec.name,
        "data_type": "TYPE_STRING" if spec.datatype == "BYTES" else f"TYPE_{spec.datatype}",
        "dims": dims or [1],
    }
    if not dims:  # the message has no empty dims: a single value is one of shape [1] that is reshaped
        described["reshape"] = {"shape": []}
    return described


def _describe_batching(batching: Batching) -> dict[str, Any]:
    described: dict[str, Any] = {
        "preferred_batch_size": list(batching.preferred_rows),
        "max_queue_delay_microseconds": batching.max_delay_ns // 1000,
        "preserve_ordering": False,
        "priority_levels": len(batching.lanes),
        "default_priority_level": batching.default_priority if batching.lanes else 0,
    }
    if batching.lanes:
        described["priority_queue_policy"] = _describe_lanes(batching.lanes)
    return described


def _describe_lanes(lanes: Sequence[Lane]) -> dict[str, Any]:
    return {
        str(level): {
            "timeout_action": "REJECT",
            "default_timeout_microseconds": (lane.timeout_ns or 0) // 1000,
            "allow_timeout_override": True,
            "max_queue_size": lane.max_queued_rows or 0,
        }
        for level, lane in enumerate(lanes, start=1)
    }
