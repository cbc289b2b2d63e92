"""One root seed, and a named child for each use, so that adding a use never shifts another's numbers."""

import hashlib

import numpy as np

DEFAULT_SEED = 20_260_101


def child_seed(root: int, name: str) -> int:
    """A seed for the use called `name`: the first 8 bytes of SHA-256 over root and name."""
    digest = hashlib.sha256(f"{root}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def child_generator(root: int, name: str) -> np.random.Generator:
    """A NumPy generator for the use called `name`."""
    return np.random.default_rng(child_seed(root, name))
