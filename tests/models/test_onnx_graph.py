from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modeldyno.errors import InputError
from modeldyno.models.examine import examine
from modeldyno.models.onnx_graph import onnx_precision, onnx_signature
from modeldyno.records.signature import DATATYPES
from modeldyno.testing import models as samples

FLOAT = TensorProto.FLOAT


def write(path: Path, **changes: object) -> Path:
    """A MatMul of `x` [?, 3] with weights [3, 2]; `changes` replace the arguments of the graph."""
    arguments: dict[str, object] = {
        "nodes": [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "inputs": [helper.make_tensor_value_info("x", FLOAT, [None, 3])],
        "outputs": [helper.make_tensor_value_info("y", FLOAT, ["y_dim_0", 2])],
        "initializer": [numpy_helper.from_array(np.ones((3, 2), np.float32), "w")],
        **changes,
    }
    graph = helper.make_graph(name="test", **arguments)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_symbolic_dimensions_keep_their_names(tmp_path: Path) -> None:
    signature = examine(samples.write_two_inputs_onnx(tmp_path / "m.onnx"), trust=False).signature
    assert [("N", 3), ("N", 3)] == [spec.shape for spec in signature.inputs]
    assert [("N", 3), ("N",)] == [spec.shape for spec in signature.outputs]
    assert signature.has_batch_dimension


def test_a_fixed_batch_stays_fixed(tmp_path: Path) -> None:
    signature = examine(samples.write_two_inputs_onnx(tmp_path / "m.onnx", rows=4), trust=False).signature
    assert (4, 3) == signature.inputs[0].shape
    assert not signature.has_batch_dimension


def test_an_output_whose_first_dimension_has_a_name_of_its_own_is_recognised_as_the_batch(tmp_path: Path) -> None:
    signature = examine(write(tmp_path / "m.onnx"), trust=False).signature
    assert (("batch", 3), ("batch", 2)) == (signature.inputs[0].shape, signature.outputs[0].shape)


def test_a_first_dimension_that_is_not_the_batch_keeps_its_name(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["places"]), helper.make_node("Transpose", ["places"], ["y"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.INT64, ["found", 2])]
    signature = examine(write(tmp_path / "m.onnx", nodes=nodes, outputs=outputs), trust=False).signature
    assert ("found", 2) == signature.outputs[0].shape


def test_an_output_without_a_shape_is_refused(tmp_path: Path) -> None:
    outputs = [helper.make_tensor_value_info("y", FLOAT, None)]
    with pytest.raises(InputError, match="is not a valid ONNX model") as caught:
        examine(write(tmp_path / "m.onnx", outputs=outputs), trust=False)
    assert "shape" in caught.value.why


def test_unnamed_dimensions_get_names(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "m.onnx", FLOAT, (None, None, 5))
    signature = examine(path, trust=False).signature
    assert ("batch", "x_1", 5) == signature.inputs[0].shape


@pytest.mark.parametrize(
    ("element_type", "datatype"),
    (
        (TensorProto.FLOAT, "FP32"), (TensorProto.DOUBLE, "FP64"), (TensorProto.FLOAT16, "FP16"),
        (TensorProto.BOOL, "BOOL"), (TensorProto.STRING, "BYTES"), (TensorProto.INT64, "INT64"),
        (TensorProto.INT32, "INT32"), (TensorProto.INT16, "INT16"), (TensorProto.INT8, "INT8"),
        (TensorProto.UINT64, "UINT64"), (TensorProto.UINT32, "UINT32"), (TensorProto.UINT16, "UINT16"),
        (TensorProto.UINT8, "UINT8"),
    ),
)  # fmt: skip
def test_every_datatype_has_its_protocol_name(tmp_path: Path, element_type: int, datatype: str) -> None:
    path = samples.write_echo_onnx(tmp_path / "m.onnx", element_type)
    signature = examine(path, trust=False).signature
    assert datatype == signature.inputs[0].datatype
    numpy_name = helper.tensor_dtype_to_np_dtype(element_type).name
    assert DATATYPES[datatype] == numpy_name


@pytest.mark.parametrize("element_type", (TensorProto.BFLOAT16, TensorProto.COMPLEX64))
def test_a_datatype_that_the_protocol_lacks_is_refused(tmp_path: Path, element_type: int) -> None:
    path = samples.write_echo_onnx(tmp_path / "m.onnx", element_type)
    with pytest.raises(InputError, match=r"BFLOAT16|COMPLEX64"):
        examine(path, trust=False)


def test_probabilities_as_dictionaries_are_refused_with_the_way_out(tmp_path: Path) -> None:
    from skl2onnx import to_onnx

    features, _ = samples.digits()
    content = to_onnx(samples.digits_mlp(), features[:1]).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InputError, match="is not a tensor") as caught:
        examine(tmp_path / "m.onnx", trust=False)
    assert "zipmap" in caught.value.hint


def test_weights_in_other_files_are_refused_and_a_missing_one_is_named(tmp_path: Path) -> None:
    model = onnx.load(str(samples.write_dense_onnx(tmp_path / "m.onnx", width=32)))
    path = tmp_path / "split.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(InputError, match=r"keeps its weights in other files: weights\.bin"):
        examine(path, trust=False)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(InputError, match=r"needs the file 'weights\.bin' beside it"):
        examine(path, trust=False)


@pytest.mark.parametrize(
    ("weights", "expected"),
    (
        ({"a": np.ones((90, 10), np.float32)}, "fp32"),
        ({"a": np.ones((90, 10), np.float16)}, "fp16"),
        ({"a": np.ones((90, 10), np.float64)}, "fp64"),
        ({"a": np.ones((95, 10), np.int8), "b": np.ones(50, np.float32)}, "int8"),
        ({"a": np.ones((50, 10), np.int8), "b": np.ones(500, np.float32)}, "mixed"),
        ({"shape": np.ones(4, np.int64)}, "fp32"),
    ),
)
def test_the_precision_is_that_of_nine_tenths_of_the_weights(weights: dict[str, np.ndarray], expected: str) -> None:
    graph = helper.make_graph(
        [], "g", [], [], [numpy_helper.from_array(array, name) for name, array in weights.items()]
    )
    assert expected == onnx_precision(helper.make_model(graph))


def test_inputs_with_a_default_are_weights_not_inputs(tmp_path: Path) -> None:
    inputs = [
        helper.make_tensor_value_info("x", FLOAT, ["batch", 3]),
        helper.make_tensor_value_info("w", FLOAT, [3, 2]),
    ]
    path = write(tmp_path / "m.onnx", inputs=inputs)
    assert ["x"] == [spec.name for spec in onnx_signature(onnx.load(str(path)), path).inputs]
