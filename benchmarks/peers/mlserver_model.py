"""The models of the conformance comparison for MLServer: it is named in a `model-settings.json` beside it."""

import numpy as np
from conform_functions import MODELS, answer  # type: ignore[import-not-found]
from mlserver import MLModel  # type: ignore[import-not-found]
from mlserver.codecs import NumpyCodec, StringCodec  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse  # type: ignore[import-not-found]


class FunctionModel(MLModel):  # type: ignore[misc]
    """A model that is a function, its inputs decoded by MLServer's own codecs."""

    async def load(self) -> bool:
        """Nothing is to be loaded."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Decode, compute, encode."""
        inputs = {}
        for given in payload.inputs:
            if given.datatype == "BYTES":
                texts = StringCodec.decode_input(given)
                inputs[given.name] = np.array(texts, object).reshape(-1, 1)
            else:
                inputs[given.name] = NumpyCodec.decode_input(given)
        outputs = answer(self.name, inputs)
        encoded = []
        for name, datatype, _ in MODELS[self.name]["outputs"]:
            if datatype == "BYTES":
                texts = [one.decode() for one in outputs[name].ravel().tolist()]
                encoded.append(StringCodec.encode_output(name, texts))
            else:
                encoded.append(NumpyCodec.encode_output(name, outputs[name]))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=encoded)
