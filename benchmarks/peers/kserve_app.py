"""The models of the conformance comparison for KServe's Python server: `python kserve_app.py HTTP_PORT GRPC_PORT`."""

import sys
from typing import Any

import kserve  # type: ignore[import-not-found]
import numpy as np
from conform_functions import MODELS, answer  # type: ignore[import-not-found]
from kserve import InferOutput, InferRequest, InferResponse
from kserve.utils.utils import generate_uuid  # type: ignore[import-not-found]


class FunctionModel(kserve.Model):  # type: ignore[misc]
    """A model that is a function, its inputs decoded by KServe's own `as_numpy`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ready = True

    def load(self) -> bool:
        """Nothing is to be loaded."""
        return True

    def get_input_types(self) -> list[dict[str, Any]]:
        """For the metadata."""
        return [_described(*one) for one in MODELS[self.name]["inputs"]]

    def get_output_types(self) -> list[dict[str, Any]]:
        """For the metadata."""
        return [_described(*one) for one in MODELS[self.name]["outputs"]]

    async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> InferResponse:  # noqa: ARG002 - KServe calls it so
        """Decode, compute, encode."""
        inputs = {given.name: given.as_numpy() for given in payload.inputs}
        outputs = answer(self.name, inputs)
        encoded = []
        for name, datatype, _ in MODELS[self.name]["outputs"]:
            output = InferOutput(name=name, shape=list(outputs[name].shape), datatype=datatype)
            output.set_data_from_numpy(outputs[name], binary_data=False)
            encoded.append(output)
        return InferResponse(
            response_id=payload.id or generate_uuid(), model_name=self.name, infer_outputs=encoded,
            requested_outputs=payload.request_outputs,
            use_binary_outputs=payload.use_binary_outputs,
        )  # fmt: skip


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


if __name__ == "__main__":
    np.seterr(all="ignore")
    server = kserve.ModelServer(http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), workers=1)
    server.start([FunctionModel(name) for name in MODELS])
