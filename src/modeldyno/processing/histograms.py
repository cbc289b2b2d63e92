"""Images as histograms: of colours, and of the directions of edges."""

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.processing.steps import NUMBERS, Array, Specs, Step, has_rows, one_tensor, spec_of
from modeldyno.records.image_operations import ColourHistogram, GradientHistogram
from modeldyno.records.signature import TensorSpec

_TINY = 1e-12


def plan_colour_histogram(operation: ColourHistogram, specs: Specs) -> Step:
    """See `ColourHistogram`."""
    spec = spec_of(operation.tensor, specs, frozenset({"UINT8"}), "UINT8 pixels")
    height, width, channels = _sizes(spec)
    bins = operation.bins
    if bins < 1 or 256 % bins:
        raise UsageError(f"bins {bins} do not divide the 256 values of a pixel", hint="2, 4, 8, 16, 32, ...")

    def compute(array: Array) -> Array:
        rows = len(array)
        # One count for all rows and channels: each has its own range of numbers.
        codes = array.reshape(rows, height * width, channels).astype(np.int64) // (256 // bins)
        codes += np.arange(channels) * bins + np.arange(rows)[:, np.newaxis, np.newaxis] * (channels * bins)
        counts = np.bincount(codes.ravel(), minlength=rows * channels * bins)
        return np.asarray((counts / (height * width)).reshape(rows, channels * bins), np.float32)

    return one_tensor(operation, specs, compute, datatype="FP32", shape=(spec.shape[0], channels * bins))


def plan_gradient_histogram(operation: GradientHistogram, specs: Specs) -> Step:
    """See `GradientHistogram`."""
    spec = spec_of(operation.tensor, specs, NUMBERS, "numbers")
    height, width, _ = _sizes(spec)
    bins, cells = operation.bins, operation.cells
    if bins < 1 or cells < 1 or cells > min(height, width):
        raise UsageError(f"{cells} × {cells} cells of {bins} bins do not fit {height} × {width} pixels")
    cell = (np.arange(height) * cells // height)[:, np.newaxis] * cells + np.arange(width) * cells // width

    def compute(array: Array) -> Array:
        rows = len(array)
        lengths, angles = _gradients(array.astype(np.float64))
        places = np.minimum((angles / np.pi * bins).astype(np.int64), bins - 1) + cell * bins
        places += np.arange(rows)[:, np.newaxis, np.newaxis] * (cells * cells * bins)
        sums = np.bincount(places.ravel(), weights=lengths.ravel(), minlength=rows * cells * cells * bins)
        found = sums.reshape(rows, cells * cells * bins)
        return np.asarray(found / (np.linalg.norm(found, axis=1, keepdims=True) + _TINY), np.float32)

    return one_tensor(operation, specs, compute, datatype="FP32", shape=(spec.shape[0], cells * cells * bins))


def _gradients(array: Array) -> tuple[Array, Array]:
    """Length and unsigned direction [rows, height, width], of the channel where the gradient is longest."""
    down, across = np.zeros_like(array), np.zeros_like(array)
    down[:, 1:-1] = array[:, 2:] - array[:, :-2]
    across[:, :, 1:-1] = array[:, :, 2:] - array[:, :, :-2]
    lengths = np.hypot(down, across)
    longest = lengths.argmax(axis=3, keepdims=True)
    down, across, lengths = (np.take_along_axis(one, longest, 3)[..., 0] for one in (down, across, lengths))
    return lengths, np.arctan2(down, across) % np.pi


def _sizes(spec: TensorSpec) -> tuple[int, int, int]:
    sizes = [size for size in spec.shape[1:] if isinstance(size, int)]
    if len(spec.shape) != 4 or len(sizes) != 3 or not has_rows(spec):
        raise UsageError(
            f"tensor {spec.name!r} holds no images",
            why=f"its shape is {list(spec.shape)}, and [rows, height, width, channels] is needed",
        )
    return sizes[0], sizes[1], sizes[2]
