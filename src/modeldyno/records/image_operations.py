"""Operations on images, declared."""

from typing import Literal, TypeAlias

from modeldyno.records.operation import OneTensor

ImageFit: TypeAlias = Literal["exact", "stretch", "crop", "pad"]
ImageMode: TypeAlias = Literal["rgb", "bgr", "grey"]


class DecodeImage(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="decode_image"):
    """UINT8 [..., height, width, channels] of BYTES that hold an image file each: JPEG, PNG, WebP or BMP.

    The orientation in EXIF is applied, transparency is dropped.
    """

    height: int
    width: int
    mode: ImageMode = "rgb"
    """Order of the channels; `grey` has one."""
    fit: ImageFit = "exact"
    """What becomes of images of another size. `exact`: refused. `stretch`: resized, whatever that does to the shape.
    `crop`: resized so that the shorter side fits, and the middle is taken. `pad`: resized so that the longer side fits,
    with black on both sides."""
    shorter: int = 0
    """With `crop`: the shorter side is resized to this before the middle is taken; 0: as small as covers the crop."""
    filter: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    """How pixels are computed when an image is resized, as Pillow does it (smoothed when it shrinks)."""


class ColourHistogram(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="colour_histogram"):
    """FP32 [rows, channels * bins] of UINT8 [rows, height, width, channels]: the share of pixels in each bin."""

    bins: int = 16
    """Of equal width over 0 to 255, for each channel; a divisor of 256."""


class GradientHistogram(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="gradient_histogram"):
    """FP32 [rows, cells * cells * bins] of numbers [rows, height, width, channels]: which way edges run, and where.

    Unsigned orientations of central differences, each pixel weighted by the length of its gradient, in the channel
    where that is longest; the sums are divided by their Euclidean length over all cells (after Dalal and Triggs 2005,
    "Histograms of Oriented Gradients for Human Detection", without overlapping blocks).
    """

    bins: int = 9
    """Over 180 degrees."""
    cells: int = 4
    """Into how many parts height and width are cut."""


ImageOperation: TypeAlias = DecodeImage | ColourHistogram | GradientHistogram
