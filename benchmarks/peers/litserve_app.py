"""LitServe as its documentation writes an API: `MODEL=FILE python litserve_app.py PORT WORKERS`."""

import os
import sys
from typing import Any

import litserve  # type: ignore[import-not-found]
import numpy as np
from one_thread import dtype_of, open_session  # type: ignore[import-not-found]


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Lists in JSON in and out."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe calls it so
        """Open the session, in the worker's process."""
        self.session = open_session(os.environ["MODEL"])
        self.dtype = dtype_of(self.session)

    def decode_request(self, request: dict[str, Any]) -> np.ndarray[Any, Any]:
        """See `litserve.LitAPI`."""
        return np.array(request["x"], self.dtype)

    def predict(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """See `litserve.LitAPI`."""
        answer: np.ndarray[Any, Any] = self.session.run(["y"], {"x": x})[0]
        return answer

    def encode_response(self, output: np.ndarray[Any, Any]) -> dict[str, Any]:
        """See `litserve.LitAPI`."""
        return {"y": output.tolist()}


if __name__ == "__main__":
    port, workers = (int(text) for text in sys.argv[1:])
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=workers)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, log_level="warning", generate_client_file=False)
