from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modeldyno.errors import InputError
from modeldyno.models.examine import examine
from modeldyno.models.onnx.graph import onnx_precision, onnx_signature
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
        (TensorProto.UINT8, "UINT8"), (TensorProto.BFLOAT16, "BF16"),
    ),
)  # fmt: skip
def test_every_datatype_has_its_protocol_name(tmp_path: Path, element_type: int, datatype: str) -> None:
    path = samples.write_echo_onnx(tmp_path / "m.onnx", element_type)
    signature = examine(path, trust=False).signature
    assert datatype == signature.inputs[0].datatype
    numpy_name = helper.tensor_dtype_to_np_dtype(element_type).name
    assert DATATYPES[datatype] == ("V2" if numpy_name == "bfloat16" else numpy_name)


@pytest.mark.parametrize("element_type", (TensorProto.FLOAT8E5M2, TensorProto.COMPLEX64))
def test_a_datatype_that_the_protocol_lacks_is_refused(tmp_path: Path, element_type: int) -> None:
    path = samples.write_echo_onnx(tmp_path / "m.onnx", element_type)
    with pytest.raises(InputError, match=r"FLOAT8E5M2|COMPLEX64"):
        examine(path, trust=False)


def test_probabilities_as_dictionaries_are_refused_with_the_way_out(tmp_path: Path) -> None:
    from skl2onnx import to_onnx

    features, _ = samples.digits()
    content = to_onnx(samples.digits_mlp(), features[:1]).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InputError, match="is not a tensor") as caught:
        examine(tmp_path / "m.onnx", trust=False)
    assert "zipmap" in caught.value.hint


def split_dense(folder: Path) -> Path:
    model = onnx.load(str(samples.write_dense_onnx(folder / "m.onnx", width=32)))
    path = folder / "split.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_weights_in_other_files_belong_to_the_model(tmp_path: Path) -> None:
    path = split_dense(tmp_path)
    model = examine(path, trust=False)
    assert ("weights.bin",) == model.files
    assert path.stat().st_size + (tmp_path / "weights.bin").stat().st_size == model.size_bytes
    assert (4 * 32 * 32, "fp32") == (model.parameters, model.precision)


def test_another_weight_is_another_model(tmp_path: Path) -> None:
    path = split_dense(tmp_path)
    before = examine(path, trust=False).digest
    weights = bytearray((tmp_path / "weights.bin").read_bytes())
    weights[100] ^= 1
    (tmp_path / "weights.bin").write_bytes(weights)
    assert before != examine(path, trust=False).digest


def test_a_file_of_weights_that_is_missing_or_cut_short_is_named(tmp_path: Path) -> None:
    path = split_dense(tmp_path)
    weights = tmp_path / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"weights\.bin is cut short"):
        examine(path, trust=False)
    weights.unlink()
    with pytest.raises(InputError, match=r"needs the file 'weights\.bin' beside it"):
        examine(path, trust=False)


@pytest.mark.parametrize("place", ("/etc/passwd", "../weights.bin", ""))
def test_weights_outside_the_folder_of_the_model_are_refused(tmp_path: Path, place: str) -> None:
    path = split_dense(tmp_path)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].external_data[0].value = place
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="outside its own folder"):
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


def test_weights_of_bf16_are_told_from_those_of_fp16() -> None:
    weights = helper.make_tensor("w", TensorProto.BFLOAT16, [4], [1.0, 2.0, 3.0, 4.0])
    assert "bf16" == onnx_precision(helper.make_model(helper.make_graph([], "g", [], [], [weights])))


def test_inputs_with_a_default_are_weights_not_inputs(tmp_path: Path) -> None:
    inputs = [
        helper.make_tensor_value_info("x", FLOAT, ["batch", 3]),
        helper.make_tensor_value_info("w", FLOAT, [3, 2]),
    ]
    path = write(tmp_path / "m.onnx", inputs=inputs)
    assert ["x"] == [spec.name for spec in onnx_signature(onnx.load(str(path)), path).inputs]
