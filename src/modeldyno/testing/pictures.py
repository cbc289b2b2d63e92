"""Image files made on the spot."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def pixels(height: int = 8, width: int = 8, *, seed: int = 0) -> NDArray[np.uint8]:
    """Random UINT8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """The bytes of a file with these pixels, [height, width, 3] or [height, width]."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def save_picture(path: Path, image: NDArray[np.uint8]) -> Path:
    """Write a PNG or BMP file, with the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(image, path.suffix[1:].upper()))
    return path
