"""A model that the test holds back."""

import threading

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.testing.sessions import sum_rows


class Gate:
    """It computes sums, but each batch only when it is let through."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.passes = threading.Semaphore(0)

    def __call__(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        self.entered.release()
        if not self.passes.acquire(timeout=60):
            raise TimeoutError
        return sum_rows(inputs)

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=60)
