"""A model that the test holds back."""

import threading

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.testing.sessions import sum_rows


class Gate:
    """It computes sums, but each batch only when it is let through: one by one, or all once it is open."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.passes = threading.Semaphore(0)
        self._is_open = False

    def __call__(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        self.entered.release()
        if not self.passes.acquire(timeout=60):
            raise TimeoutError
        if self._is_open:
            self.passes.release()  # for the next, as it found it
        return sum_rows(inputs)

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=60)

    def open(self) -> None:
        """Let through every batch from now on, however many there are."""
        self._is_open = True
        self.passes.release()
