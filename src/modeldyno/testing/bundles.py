"""A bundle that is ready in a blink: its model answers what it is asked, or a multiple of it."""

from pathlib import Path

from modeldyno.deployment.bundle import write_bundle
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.bundle import Bundle, Sample, Samples
from modeldyno.records.deployment import Deployment
from modeldyno.records.files import digest_file
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.models import write_echo_onnx, write_scaled_onnx

FLOAT = 1
"""`onnx.TensorProto.FLOAT`."""


def write_echo_bundle(
    directory: Path, *, name: str = "echo", version: str = "1", factor: float = 1, force: bool = False
) -> Path:
    """Write a bundle whose model gives its two features back, times `factor`, and return its directory."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    source = directory.with_name(f"{name}.onnx")
    if factor == 1:
        write_echo_onnx(source, FLOAT)
    else:
        write_scaled_onnx(source, factor)
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),),
    )
    digest, size = digest_file(source), source.stat().st_size
    model = Model(
        name=name, path=source.name, format="onnx", description="ONNX", task="regression", classes=(),
        signature=signature, precision="fp32", size_bytes=size, digest=digest, parameters=0, made_with="a test",
    )  # fmt: skip
    artifact = Artifact(
        name="original", path="model.onnx", format="onnx", precision="fp32", recipe="as it came", digest=digest,
        size_bytes=size, parent_digest=None, signature=signature,
    )  # fmt: skip
    bundle = Bundle(
        tool_version="0", created_at="2026-01-01T00:00:00+00:00", name=name, version=version, task="regression",
        signature=signature,
        deployment=Deployment(artifact="original", runtime="onnxruntime"), artifact=artifact, origin=model, files={},
        build_cpu_flags=(),
    )  # fmt: skip
    samples = Samples(
        samples=(Sample(inputs={"x": [[1.0, 2.0]]}, outputs={"y": [[factor, 2.0 * factor]]}),),
        relative_tolerance=1e-3,
        absolute_tolerance=1e-4,
    )
    write_bundle(directory, bundle, artifact=source, samples=samples, datasheet=None, force=force)
    return directory
