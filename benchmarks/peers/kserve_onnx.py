"""An ONNX model on KServe's Python server: `MODEL=FILE python kserve_onnx.py NAME HTTP_PORT`."""

import os
import sys
from typing import Any

import kserve  # type: ignore[import-not-found]
from kserve import InferOutput, InferRequest, InferResponse
from kserve.utils.utils import generate_uuid  # type: ignore[import-not-found]
from one_thread import dtype_of, open_session  # type: ignore[import-not-found]


class OnnxModel(kserve.Model):  # type: ignore[misc]
    """Inputs decoded by KServe's own `as_numpy`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.session = open_session(os.environ["MODEL"])
        self.dtype = dtype_of(self.session)
        self.ready = True

    def load(self) -> bool:
        """It is loaded."""
        return True

    async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> InferResponse:  # noqa: ARG002 - KServe calls it so
        """Decode, compute, encode."""
        (answer,) = self.session.run(["y"], {"x": payload.inputs[0].as_numpy().astype(self.dtype, copy=False)})
        output = InferOutput(name="y", shape=list(answer.shape), datatype="FP32")
        is_binary = bool(payload.use_binary_outputs)
        output.set_data_from_numpy(answer, binary_data=is_binary)
        return InferResponse(
            response_id=payload.id or generate_uuid(), model_name=self.name, infer_outputs=[output],
            requested_outputs=payload.request_outputs, use_binary_outputs=is_binary,
        )  # fmt: skip


if __name__ == "__main__":
    name, port = sys.argv[1:]
    server = kserve.ModelServer(http_port=int(port), enable_grpc=False, workers=1, access_log_format=None)
    server.start([OnnxModel(name)])
