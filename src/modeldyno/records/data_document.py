"""What the rows of a model are, where a path alone does not say it."""

from typing import Literal

from modeldyno.records.base import Record
from modeldyno.records.image_operations import ImageFit, ImageMode


class ImageReading(Record, frozen=True, kw_only=True):
    """How images become the tensor that a model takes; size and layout are those of its signature."""

    scaling: Literal["", "none", "unit", "symmetric"] = ""
    """Of float pixels. `none`: 0 to 255, `unit`: 0 to 1, `symmetric`: -1 to 1. Empty: not declared, which only
    models that take UINT8 allow."""
    mean: tuple[float, ...] = ()
    """Subtracted from each channel after the scaling."""
    std: tuple[float, ...] = ()
    """By which each channel is divided then."""
    mode: ImageMode = "rgb"
    fit: ImageFit = "exact"
    shorter: int = 0
    filter: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    layout: Literal["", "nhwc", "nchw"] = ""
    """Empty: as the signature shows."""
    height: int = 0
    """Where the signature leaves it open."""
    width: int = 0


class DataDocument(Record, frozen=True, kw_only=True):
    """A `.json` file in the place of data: where they are, and what is done to them before the model sees them."""

    schema: Literal["modeldyno.data/1"] = "modeldyno.data/1"
    path: str
    """Of the data: a file or a folder; relative to the document."""
    label: str = ""
    """Name of the labels; empty: the usual ones are looked for."""
    classes: tuple[str, ...] = ()
    """Text labels in the order of the model's class numbers; the labels become these numbers."""
    gaps: bool = False
    """Whether missing numbers (NaN) and texts (empty) go to the model, because it or the pipeline it is fills them."""
    images: ImageReading | None = None
    """How images are read; None: there are none, or they need no declaration."""
    processing: str = ""
    """A `.json` file of operations, run on the rows; relative to the document. Empty: none."""
