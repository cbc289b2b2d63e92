from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from modeldyno.errors import InputError
from modeldyno.models.examine import examine


def write(path: Path, kind: str, *, opset: int = 17, domain: str = "", functions: Any = ()) -> Path:
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"], domain=domain)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
    )
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    path.write_bytes(
        helper.make_model(graph, opset_imports=imports, ir_version=8, functions=functions).SerializeToString()
    )
    return path


@pytest.mark.parametrize(
    ("kind", "opset", "domain", "what", "why"),
    (
        ("Relu", 999, "", "is of ONNX opset 999", f"the newest that is known here is {onnx.defs.onnx_opset_version()}"),
        ("NoSuch", 17, "", "holds the operator NoSuch", "opset 17, which the file says it is of, has none"),
        ("Gelu", 17, "", "holds the operator Gelu", "it came with opset 20"),
        ("Warp", 17, "com.acme", "needs the custom operator com.acme:Warp", "a library of its own"),
    ),
)
def test_an_operator_that_nothing_here_has_is_named(
    kind: str, opset: int, domain: str, what: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=what) as caught:
        examine(write(tmp_path / "m.onnx", kind, opset=opset, domain=domain), trust=False)
    assert why in caught.value.why
    assert caught.value.hint


@pytest.mark.parametrize(("kind", "domain"), (("Relu", ""), ("Gelu", "com.microsoft"), ("Warp", "com.acme")))
def test_operators_of_runtimes_and_of_the_file_itself_are_known(kind: str, domain: str, tmp_path: Path) -> None:
    own = helper.make_function(
        "com.acme", "Warp", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    path = write(tmp_path / "m.onnx", kind, domain=domain, functions=[own] if kind == "Warp" else [])
    assert "onnx" == examine(path, trust=False).format


def test_a_file_of_a_newer_format_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", "Relu")
    model = onnx.load(str(path))
    model.ir_version = onnx.IR_VERSION + 1
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=f"is of version {onnx.IR_VERSION + 1} of the ONNX format") as caught:
        examine(path, trust=False)
    assert f"the newest that is known here is {onnx.IR_VERSION}" == caught.value.why
    assert "pip install --upgrade" in caught.value.hint
