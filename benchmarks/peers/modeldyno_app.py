"""Modeldyno's server on one ONNX model: `python modeldyno_app.py MODEL PORT MAX_ROWS`."""

import sys
from pathlib import Path

from modeldyno.clock import SystemClock
from modeldyno.records.deployment import Batching, Deployment
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.runtimes.onnx_runtime import OnnxRuntime
from modeldyno.server.serving import ServedModel, serve

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 64)),),
    outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=("batch", 10)),),
)


def main(model: str, port: str, max_rows: str) -> None:
    """Serve until told to stop."""
    deployment = Deployment(artifact="digits", runtime="onnxruntime", batching=Batching(max_rows=int(max_rows)))
    session = OnnxRuntime().open(Path(model), SIGNATURE, deployment.session)
    served = ServedModel(
        name="digits",
        version="1",
        platform="onnx_onnxv1",
        signature=SIGNATURE,
        sessions=[session],
        deployment=deployment,
    )
    serve([served], ServerSettings(port=int(port)), clock=SystemClock(), on_ready=lambda url: print(url, flush=True))
    session.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
