"""One digest for the same rows, however they are stored and read."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowsDigest:
    """`sha256:` over names, dtypes, shapes and values, tensor by tensor in the order of their names, labels last.

    The blocks of a tensor may come one after the other: the digest is that of the whole.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], blocks: Iterable[NDArray[Any]]) -> None:
        """One tensor: what it is, and its rows in blocks."""
        self._digest.update(f"{name} {dtype} {shape};".encode())
        for block in blocks:
            if block.dtype == object:
                for item in block.ravel().tolist():
                    self._digest.update(len(item).to_bytes(8, "little") + item)
            else:
                self._digest.update(np.ascontiguousarray(block).tobytes())

    @property
    def text(self) -> str:
        """`sha256:` and the hex digest of what was added."""
        return f"sha256:{self._digest.hexdigest()}"
