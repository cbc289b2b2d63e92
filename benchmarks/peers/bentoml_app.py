"""BentoML as its documentation writes a service: `MODEL=FILE bentoml serve bentoml_app:Service`."""

import os
from typing import Any

import bentoml  # type: ignore[import-not-found]
import numpy as np
from one_thread import dtype_of, open_session  # type: ignore[import-not-found]


@bentoml.service(workers=int(os.environ.get("WORKERS", "1")), logging={"access": {"enabled": False}})
class Service:
    """Arrays in JSON in and out."""

    def __init__(self) -> None:
        self.session = open_session(os.environ["MODEL"])
        self.dtype = dtype_of(self.session)

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, x: np.ndarray) -> np.ndarray:
        """`POST /predict` with `{"x": [[...]]}`."""
        answer: np.ndarray[Any, Any] = self.session.run(["y"], {"x": x.astype(self.dtype, copy=False)})[0]
        return answer
