"""mosec with a worker on raw bytes: `MODEL=FILE WORKERS=N python mosec_app.py --address 127.0.0.1 --port PORT`."""

import os
from typing import Any

import mosec  # type: ignore[import-not-found]
import numpy as np
from one_thread import dtype_of, open_session, row_shape  # type: ignore[import-not-found]


class Net(mosec.Worker):  # type: ignore[misc]
    """Bytes of a tensor in and out, at `/inference`."""

    resp_mime_type = "application/octet-stream"

    def __init__(self) -> None:
        super().__init__()
        self.session = open_session(os.environ["MODEL"])
        self.dtype, self.shape = dtype_of(self.session), row_shape(self.session)

    def deserialize(self, data: bytes) -> np.ndarray[Any, Any]:
        """See `mosec.Worker`."""
        return np.frombuffer(data, self.dtype).reshape(self.shape)

    def forward(self, data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """See `mosec.Worker`."""
        answer: np.ndarray[Any, Any] = self.session.run(["y"], {"x": data})[0]
        return answer

    def serialize(self, data: np.ndarray[Any, Any]) -> bytes:
        """See `mosec.Worker`."""
        return data.tobytes()


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Net, num=int(os.environ["WORKERS"]))
    server.run()
