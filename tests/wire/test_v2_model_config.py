"""`modeldyno.wire.v2_model_config`."""

import json

from modeldyno.records.deployment import Batching, Deployment, Lane
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.v2_model_config import encode_model_config, model_config

BATCHED = Signature(
    inputs=(
        TensorSpec(name="x", datatype="FP32", shape=("batch", 3, "width")),
        TensorSpec(name="t", datatype="BYTES", shape=("batch",)),
    ),
    outputs=(TensorSpec(name="y", datatype="INT64", shape=("batch",)),),
)
FIXED = Signature(
    inputs=(TensorSpec(name="x", datatype="FP16", shape=(2, 2)),),
    outputs=(TensorSpec(name="y", datatype="BOOL", shape=(2,)),),
)


def test_a_batched_model_leaves_the_batch_out_of_its_dims() -> None:
    batching = Batching(
        max_rows=8,
        max_delay_ns=500_000,
        preferred_rows=(4,),
        lanes=(Lane(max_queued_rows=16), Lane(timeout_ns=2_000_000)),
        default_priority=2,
    )
    deployment = Deployment(artifact="a", runtime="onnxruntime", instances=2, batching=batching)
    config = model_config("m", platform="onnx_onnxv1", signature=BATCHED, deployment=deployment, caches=True)
    policy = {"timeout_action": "REJECT", "allow_timeout_override": True}
    assert {
        "name": "m",
        "platform": "onnx_onnxv1",
        "backend": "onnxruntime",
        "max_batch_size": 8,
        "input": [
            {"name": "x", "data_type": "TYPE_FP32", "dims": [3, -1]},
            {"name": "t", "data_type": "TYPE_STRING", "dims": [1], "reshape": {"shape": []}},
        ],
        "output": [{"name": "y", "data_type": "TYPE_INT64", "dims": [1], "reshape": {"shape": []}}],
        "instance_group": [{"name": "m", "kind": "KIND_CPU", "count": 2}],
        "model_transaction_policy": {"decoupled": False},
        "response_cache": {"enable": True},
        "dynamic_batching": {
            "preferred_batch_size": [4],
            "max_queue_delay_microseconds": 500,
            "preserve_ordering": False,
            "priority_levels": 2,
            "default_priority_level": 2,
            "priority_queue_policy": {
                "1": {**policy, "default_timeout_microseconds": 0, "max_queue_size": 16},
                "2": {**policy, "default_timeout_microseconds": 2000, "max_queue_size": 0},
            },
        },
    } == json.loads(encode_model_config(config))


def test_a_model_without_a_batch_has_no_batch_size_and_whole_dims() -> None:
    deployment = Deployment(artifact="a", runtime="onnxruntime", batching=Batching(max_rows=8))
    config = model_config("m", platform="p", signature=FIXED, deployment=deployment)
    assert 0 == config["max_batch_size"]
    assert [{"name": "x", "data_type": "TYPE_FP16", "dims": [2, 2]}] == config["input"]
    assert "dynamic_batching" not in config


def test_without_batching_there_is_no_dynamic_batching() -> None:
    deployment = Deployment(artifact="a", runtime="onnxruntime")
    config = model_config("m", platform="p", signature=BATCHED, deployment=deployment)
    assert 1 == config["max_batch_size"]
    assert "dynamic_batching" not in config
