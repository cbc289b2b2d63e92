"""An ONNX model for MLServer: it is named in a `model-settings.json` beside it."""

from mlserver import MLModel  # type: ignore[import-not-found]
from mlserver.codecs import NumpyCodec  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse  # type: ignore[import-not-found]
from one_thread import dtype_of, open_session  # type: ignore[import-not-found]


class OnnxModel(MLModel):  # type: ignore[misc]
    """Inputs decoded by MLServer's own codec."""

    async def load(self) -> bool:
        """Open the session, in the process that computes."""
        self.session = open_session(self.settings.parameters.uri)
        self.dtype = dtype_of(self.session)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Decode, compute, encode."""
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(self.dtype, copy=False)
        (answer,) = self.session.run(["y"], {"x": rows})
        outputs = [NumpyCodec.encode_output("y", answer)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
