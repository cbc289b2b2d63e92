"""The wrapper most people write, in its fastest form: an async endpoint, raw float32 bytes in and out.

It runs in its own environment (`fastapi.txt`): `python fastapi_app.py MODEL PORT`.
"""

import sys

import numpy as np
import onnxruntime
import uvicorn  # type: ignore[import-not-found]
from fastapi import FastAPI, Request, Response  # type: ignore[import-not-found]


def make_app(model: str) -> FastAPI:
    """One endpoint around one session with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    app = FastAPI()

    @app.post("/predict")  # type: ignore[untyped-decorator]
    async def predict(request: Request) -> Response:
        rows = np.frombuffer(await request.body(), np.float32).reshape(-1, 64)
        (probabilities,) = session.run(["probabilities"], {name: rows})
        return Response(probabilities.tobytes(), media_type="application/octet-stream")

    return app


if __name__ == "__main__":
    uvicorn.run(
        make_app(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False, workers=1
    )
