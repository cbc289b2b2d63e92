from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from onnx import TensorProto

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.api.profiled.effective import effective_precision, with_effective_precision
from modeldyno.children import ChildLimits
from modeldyno.compression.narrow_weights import narrow_weights
from modeldyno.models.examine import examine
from modeldyno.records.artifact import Artifact
from modeldyno.testing import models as samples


def dense(folder: Path, width: int = 64) -> Artifact:
    return artifact_of(examine(samples.write_dense_onnx(folder / "dense.onnx", width=width), trust=False))


def test_floats_are_told_by_the_runtime_itself(tmp_path: Path) -> None:
    batch = {"x": np.ones((2, 64), np.float32)}
    assert "fp32" == with_effective_precision(dense(tmp_path), "onnxruntime", batch).computed_in


def test_whatever_the_file_is_said_to_be_its_products_decide(tmp_path: Path) -> None:
    limits = ChildLimits(timeout_ns=120_000_000_000, memory_bytes=8 * 2**30)
    narrow = narrow_weights(dense(tmp_path), tmp_path / "narrow.onnx", bits=8, limits=limits)
    assert ("int8", "fp32") == (
        narrow.precision, effective_precision(narrow, "onnxruntime", {"x": np.ones((1, 64), np.float32)}),
    )  # fmt: skip


def test_without_products_there_is_nothing_to_tell(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.FLOAT)
    artifact = artifact_of(examine(path, trust=False))
    assert effective_precision(artifact, "onnxruntime", {"x": np.ones((1, 2), np.float32)}) is None


def test_a_runtime_without_a_profiler_does_not_tell(tmp_path: Path) -> None:
    artifact = replace(dense(tmp_path), format="sklearn")
    assert effective_precision(artifact, "scikit-learn", {"x": np.ones((1, 64), np.float32)}) is None


@pytest.mark.slow
@pytest.mark.parametrize("asked", ("fp32", "bf16"))
def test_openvino_tells_what_it_computes_in(asked: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    from modeldyno.api.artifacts.recipe import BF16_FLAGS
    from modeldyno.machine.environment import capture_environment
    from modeldyno.records.deployment import SessionSettings

    if asked == "bf16" and not BF16_FLAGS & set(capture_environment().cpu_flags):
        pytest.skip("this processor does not compute in bfloat16")
    artifact = replace(
        dense(tmp_path, 256), runtime="openvino", session=SessionSettings(precision="bf16" if asked == "bf16" else None)
    )
    assert asked == effective_precision(artifact, "openvino", {"x": np.ones((4, 256), np.float32)})


@pytest.mark.slow
def test_pytorch_tells_what_it_computes_in_to_those_who_trust_the_model(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    net, shapes = torch.nn.Linear(8, 3).eval(), ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net, (torch.zeros(2, 8),), dynamic_shapes=shapes), tmp_path / "net.pt2")
    model = examine(tmp_path / "net.pt2", trust=True)
    batch = {model.signature.inputs[0].name: np.ones((2, 8), np.float32)}
    assert "fp32" == effective_precision(artifact_of(model), "pytorch", batch, trust=True)
    assert effective_precision(artifact_of(model), "pytorch", batch) is None
