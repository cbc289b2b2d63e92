from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from modeldyno.compression.dynamic_int8 import QuantisationTask, compress_dynamic_int8, needs_reduced_range
from modeldyno.compression.dynamic_int8_child import quantise
from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.records.artifact import Artifact
from modeldyno.records.files import digest_file
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing import models as samples

MINUTE_NS = 60 * 10**9
MEMORY_BYTES = 4 * 10**9
VNNI = ("avx2", "avx512_vnni")


def dense(folder: Path) -> Artifact:
    path = samples.write_dense_onnx(folder / "dense.onnx", width=64)
    return Artifact(
        name="original",
        path=str(path),
        format="onnx",
        precision="fp32",
        recipe="as it came",
        digest=digest_file(path),
        size_bytes=path.stat().st_size,
        parent_digest=None,
        signature=Signature(
            inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 64)),),
            outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 64)),),
        ),
    )


def test_products_become_integer_and_answers_stay_near(tmp_path: Path) -> None:
    parent = dense(tmp_path)
    artifact = compress_dynamic_int8(
        parent, tmp_path / "int8.onnx", cpu_flags=VNNI, timeout_ns=MINUTE_NS, memory_bytes=MEMORY_BYTES
    )
    assert ("onnx-int8-dynamic", "int8", "dynamic int8 (4 nodes)") == (
        artifact.name,
        artifact.precision,
        artifact.recipe,
    )
    assert (parent.digest, parent.signature) == (artifact.parent_digest, artifact.signature)
    assert digest_file(tmp_path / "int8.onnx") == artifact.digest
    assert artifact.size_bytes < parent.size_bytes / 2
    rows = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)
    exact, near = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["y"], {"x": rows})[0]
        for path in (parent.path, artifact.path)
    )
    assert 0 < float(np.abs(exact - near).max()) < 0.1


def test_a_transposed_weight_whose_shape_is_stated_twice_is_quantised(tmp_path: Path) -> None:
    """As torch.onnx writes linear layers; the quantiser transposes the weight, and not what is stated of it."""
    weight = np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["x", "weight"], ["y"], transB=1)],
        "linear",
        [onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [onnx.numpy_helper.from_array(weight, "weight")],
        value_info=[onnx.helper.make_tensor_value_info("weight", TensorProto.FLOAT, [4, 64])],
    )
    source, place = tmp_path / "linear.onnx", tmp_path / "int8.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), source)
    assert 1 == quantise(QuantisationTask(source=str(source), destination=str(place), reduce_range=False)).quantised
    rows = np.random.default_rng(1).random((5, 64), dtype=np.float32)
    found = onnxruntime.InferenceSession(str(place)).run(None, {"x": rows})[0]
    np.testing.assert_allclose(rows @ weight.T, found, atol=0.3)


def test_a_processor_that_saturates_gets_weights_of_seven_bits(tmp_path: Path) -> None:
    from modeldyno.compression.dynamic_int8_child import quantise

    parent, path = dense(tmp_path), tmp_path / "int7.onnx"
    quantise(QuantisationTask(source=parent.path, destination=str(path), reduce_range=True))
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(str(path)).graph.initializer
        if tensor.data_type == TensorProto.INT8
    ]
    largest = [int(np.abs(array.astype(np.int16)).max()) for array in weights if array.ndim == 2]
    assert [64] * 4 == largest


def test_a_model_without_products_is_refused_with_the_reason(tmp_path: Path) -> None:
    from modeldyno.compression.dynamic_int8_child import quantise

    source = samples.write_two_inputs_onnx(tmp_path / "two.onnx")
    with pytest.raises(InputError, match=r"two\.onnx has nothing to quantise") as caught:
        quantise(QuantisationTask(source=str(source), destination=str(tmp_path / "q.onnx"), reduce_range=False))
    assert "MatMul or Gemm" in caught.value.why
    assert not (tmp_path / "q.onnx").exists()


def test_products_of_two_inputs_have_no_weights_to_quantise(tmp_path: Path) -> None:
    from modeldyno.compression.dynamic_int8_child import quantise

    source = tmp_path / "product.onnx"
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["a", "b"], ["y"])],
        "product",
        [onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 3]) for name in "ab"],
        [onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, 3])],
    )
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), str(source))
    with pytest.raises(InputError, match="nothing to quantise"):
        quantise(QuantisationTask(source=str(source), destination=str(tmp_path / "q.onnx"), reduce_range=False))


def test_a_scikit_learn_model_is_not_quantised(tmp_path: Path) -> None:
    import msgspec

    parent = msgspec.structs.replace(dense(tmp_path), format="sklearn")
    with pytest.raises(UsageError, match="is not ONNX"):
        compress_dynamic_int8(
            parent, tmp_path / "q.onnx", cpu_flags=VNNI, timeout_ns=MINUTE_NS, memory_bytes=MEMORY_BYTES
        )


def test_too_little_time_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="took longer than"):
        compress_dynamic_int8(
            dense(tmp_path), tmp_path / "q.onnx", cpu_flags=VNNI, timeout_ns=10**6, memory_bytes=MEMORY_BYTES
        )


@given(st.sets(st.sampled_from(("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "avx512_bf16"))))
def test_the_range_is_reduced_only_on_vectors_without_vnni(flags: set[str]) -> None:
    vectors, integer_products = {"avx2", "avx512f"}, {"avx512_vnni", "avx_vnni", "amx_int8"}
    expected = bool(flags & vectors) and not flags & integer_products
    assert expected == needs_reduced_range(sorted(flags))
