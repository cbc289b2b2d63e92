"""Changes of images [rows, height, width, channels]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.augmentation.draws import RowDraws
from modeldyno.augmentation.spread import Spread

Array = NDArray[Any]


def blur(array: Array, severity: float, _spread: Spread, _draws: RowDraws) -> Array:
    """Gaussian blur with a standard deviation of `severity` pixels; pixels at the edge are repeated outwards."""
    reach = max(1, round(3 * severity))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / severity) ** 2)
    kernel /= kernel.sum()
    blurred = array
    for axis in (1, 2):
        padding = [(0, 0)] * array.ndim
        padding[axis] = (reach, reach)
        padded = np.pad(blurred, padding, mode="edge")
        size = array.shape[axis]
        places = [slice(None)] * array.ndim
        blurred = np.zeros(array.shape)
        for shift, weight in enumerate(kernel):
            places[axis] = slice(shift, shift + size)
            blurred += weight * padded[tuple(places)]
    return np.asarray(blurred)


def rotate(array: Array, severity: float, _spread: Spread, draws: RowDraws) -> Array:
    """Turned around the middle by `severity` degrees, either way; what comes from outside is the nearest pixel."""
    height, width = array.shape[1:3]
    angles = np.deg2rad(severity) * draws.signs()[:, np.newaxis, np.newaxis]
    down, across = np.mgrid[:height, :width].astype(np.float64)
    down, across = down - (height - 1) / 2, across - (width - 1) / 2
    rows = np.cos(angles) * down - np.sin(angles) * across + (height - 1) / 2
    columns = np.sin(angles) * down + np.cos(angles) * across + (width - 1) / 2
    return _sampled(array, rows, columns)


def crop(array: Array, severity: float, _spread: Spread, draws: RowDraws) -> Array:
    """A part with sides shorter by the share `severity`, anywhere, enlarged to the old size."""
    height, width = array.shape[1:3]
    kept = 1 - severity
    top = draws.uniform()[:, np.newaxis, np.newaxis] * (height - 1) * severity
    left = draws.uniform()[:, np.newaxis, np.newaxis] * (width - 1) * severity
    down, across = np.mgrid[:height, :width].astype(np.float64)
    return _sampled(array, top + down * kept, left + across * kept)


def mirror(array: Array, severity: float, _spread: Spread, draws: RowDraws) -> Array:
    """A share `severity` of the images with left and right exchanged."""
    chosen = (draws.uniform() < severity).reshape(-1, 1, 1, 1)
    return np.where(chosen, array[:, :, ::-1], array)


def shift(array: Array, severity: float, _spread: Spread, draws: RowDraws) -> Array:
    """Moved by `severity` pixels up, down, left or right; pixels at the edge are repeated."""
    height, width = array.shape[1:3]
    steps = (severity * draws.signs())[:, np.newaxis, np.newaxis]
    is_down = (draws.uniform() < 0.5)[:, np.newaxis, np.newaxis]
    down, across = np.mgrid[:height, :width].astype(np.float64)
    return _sampled(array, down + np.where(is_down, steps, 0), across + np.where(is_down, 0, steps))


def _sampled(array: Array, rows: Array, columns: Array) -> Array:
    """Each image at places between its pixels, bilinear; places outside are moved to the edge."""
    height, width = array.shape[1:3]
    rows = np.broadcast_to(np.clip(rows, 0, height - 1), (len(array), height, width))
    columns = np.broadcast_to(np.clip(columns, 0, width - 1), (len(array), height, width))
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = (rows - top)[..., np.newaxis], (columns - left)[..., np.newaxis]
    image = np.arange(len(array))[:, np.newaxis, np.newaxis]
    upper = array[image, top, left] * (1 - across) + array[image, top, right] * across
    lower = array[image, bottom, left] * (1 - across) + array[image, bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down)
