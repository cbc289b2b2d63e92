"""Image files as arrays of pixels, by Pillow: the one file that imports it."""

import io
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.steps import Array, Specs, Step, one_tensor, spec_of
from modeldyno.records.image_operations import DecodeImage

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_MOST_PIXELS = 80_000_000
"""A file of some kilobytes can claim to hold more than memory does; from 89 million on Pillow warns."""
_WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Of more than 8 bits a channel: what they would become as 8 bits is not declared anywhere."""


def plan_decode_image(operation: DecodeImage, specs: Specs) -> Step:
    """See `DecodeImage`."""
    require_pillow()
    spec = spec_of(operation.tensor, specs, frozenset({"BYTES"}), "BYTES with image files")
    if operation.height < 1 or operation.width < 1:
        raise UsageError(f"an image of {operation.height} × {operation.width} pixels has no pixels")
    if operation.shorter and (operation.fit != "crop" or operation.shorter < max(operation.height, operation.width)):
        raise UsageError(
            f"shorter {operation.shorter} does not fit {operation.height} × {operation.width} pixels",
            why="it is the length of the shorter side before the middle is taken, and means nothing without a crop",
            hint='"fit": "crop", and a shorter side not below height and width',
        )
    size = (operation.height, operation.width, 1 if operation.mode == "grey" else 3)

    def compute(array: Array) -> Array:
        pixels = np.empty((array.size, *size), np.uint8)
        for number, content in enumerate(array.ravel().tolist()):
            try:
                pixels[number] = decoded(content, operation)
            except DataError as problem:
                raise DataError(
                    f"value {number} of tensor {operation.tensor!r} {problem.what}", why=problem.why, hint=problem.hint
                ) from problem
        return pixels.reshape(*array.shape, *size)

    return one_tensor(operation, specs, compute, datatype="UINT8", shape=(*spec.shape, *size))


def require_pillow() -> None:
    """Images can be decoded here.

    Raises:
        UsageError: Pillow is not installed.
    """
    try:
        import PIL.Image  # noqa: F401 - whether it can be imported is the question
    except ImportError as problem:
        raise UsageError(
            "images cannot be decoded", why="Pillow is not installed", hint="pip install 'modeldyno[image]'"
        ) from problem


def decoded(content: bytes, operation: DecodeImage) -> Array:
    """UINT8 [height, width, channels] of one image file.

    Raises:
        DataError: it does not decode, or is of another size and that was not declared.
    """
    from PIL import Image, ImageOps

    image = _opened(io.BytesIO(content))
    try:
        upright = ImageOps.exif_transpose(image).convert("L" if operation.mode == "grey" else "RGB")
    except (OSError, SyntaxError, ValueError) as problem:  # Pillow's errors for a truncated or damaged file
        raise DataError("does not decode", why=str(problem)) from problem
    filters = {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
    }
    pixels = np.asarray(_fitted(upright, operation, filters[operation.filter]), np.uint8)
    if operation.mode == "grey":
        return pixels[:, :, np.newaxis]
    return pixels[:, :, ::-1] if operation.mode == "bgr" else pixels


def header_problem(stream: IO[bytes]) -> str:
    """Why this is no image file that can be decoded; empty when its beginning looks like one."""
    try:
        _opened(stream)
    except DataError as problem:
        return problem.why or problem.what
    return ""


def _opened(stream: IO[bytes]) -> "Image":
    from PIL import Image

    try:
        image = Image.open(stream, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise DataError("is too large an image", why=str(problem)) from problem
    except (OSError, SyntaxError, ValueError) as problem:
        raise DataError(
            "is no image that can be decoded", why=f"it is no {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} file"
        ) from problem
    if image.width * image.height > _MOST_PIXELS:
        raise DataError(
            f"is an image of {image.width:,} × {image.height:,} pixels", why=f"more than {_MOST_PIXELS:,} are refused"
        )
    if image.mode in _WIDE_MODES:
        raise DataError(
            "holds more than 8 bits a channel", why=f"its mode is {image.mode}", hint="save it with 8 bits a channel"
        )
    return image


def _fitted(image: "Image", operation: DecodeImage, resampling: Any) -> "Image":
    """The image in the declared size."""
    from PIL import ImageOps

    size = (operation.width, operation.height)
    if image.size == size and not operation.shorter:
        return image
    match operation.fit:
        case "exact":
            raise DataError(
                f"is an image of {image.height} × {image.width} pixels, and {size[1]} × {size[0]} are needed",
                why="it is not declared what becomes of images of another size",
                hint='declare "fit": "crop", "stretch" or "pad"',
            )
        case "stretch":
            return image.resize(size, resampling)
        case "pad":
            return ImageOps.pad(image, size, resampling)
        case "crop":
            return _cropped(image, operation, resampling)


def _cropped(image: "Image", operation: DecodeImage, resampling: Any) -> "Image":
    height, width = operation.height, operation.width
    if operation.shorter:
        factor = operation.shorter / min(image.size)
    else:
        factor = max(height / image.height, width / image.width)
    # Never below the crop, which rounding could do.
    resized = (max(width, round(image.width * factor)), max(height, round(image.height * factor)))
    left, top = (resized[0] - width) // 2, (resized[1] - height) // 2
    return image.resize(resized, resampling).crop((left, top, left + width, top + height))
