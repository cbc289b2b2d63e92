"""From an image file to the tensor that a model takes: which operations that needs, where nothing is guessed."""

from modeldyno.errors import DataError
from modeldyno.records.data_document import ImageReading
from modeldyno.records.image_operations import DecodeImage
from modeldyno.records.processing import Cast, Normalise, Operation, Transpose
from modeldyno.records.signature import TensorSpec

IMAGE = "image"
"""What the tensor with the files is called."""
_SCALINGS = {"none": (0.0, 1.0), "unit": (0.0, 255.0), "symmetric": (127.5, 127.5)}
"""What is subtracted from a pixel, and what it is divided by then."""
_EXAMPLE = '{"path": "FOLDER", "images": {"scaling": "unit"}}'


def image_operations(spec: TensorSpec, reading: ImageReading) -> tuple[Operation, ...]:
    """Decode, scale and lay out.

    Args:
        spec: the model's input.
        reading: what was declared.

    Raises:
        DataError: the input is no image, or what it needs was not declared.
    """
    layout, height, width, channels = _layout(spec, reading)
    if (channels == 1) != (reading.mode == "grey"):
        raise DataError(
            f"input {spec.name!r} has {channels} channels, and images are read as {reading.mode}",
            hint='declare "mode": "grey"' if channels == 1 else 'declare "mode": "rgb" or "bgr"',
        )
    decode = DecodeImage(
        tensor=IMAGE,
        height=height,
        width=width,
        mode=reading.mode,
        fit=reading.fit,
        shorter=reading.shorter,
        filter=reading.filter,
    )
    turn = (Transpose(tensor=IMAGE, order=(0, 3, 1, 2)),) if layout == "nchw" else ()
    return (decode, *_scaling(spec, reading), *turn)


def _scaling(spec: TensorSpec, reading: ImageReading) -> tuple[Operation, ...]:
    is_declared = bool(reading.scaling or reading.mean or reading.std)
    if spec.datatype == "UINT8":
        if reading.scaling not in ("", "none") or reading.mean or reading.std:
            raise DataError(
                f"input {spec.name!r} is UINT8, and scaled pixels are no whole numbers",
                hint="leave scaling, mean and std out",
            )
        return ()
    if spec.datatype not in ("FP32", "FP64", "FP16"):
        raise DataError(
            f"input {spec.name!r} is {spec.datatype}",
            why="images are read as UINT8 or as floats",
            hint="declare other operations in a processing document",
        )
    if not is_declared:
        raise DataError(
            f"input {spec.name!r} is {spec.datatype}, and it is not declared how pixels from 0 to 255 are scaled",
            why="0 to 1, -1 to 1 and means of the training data are all usual, and a wrong one ruins the answers",
            hint=f"declare it in a file such as {_EXAMPLE} and give that as --data",
        )
    subtract, divide = _SCALINGS[reading.scaling or "none"]
    operations: list[Operation] = [Cast(tensor=IMAGE, datatype="FP64" if spec.datatype == "FP64" else "FP32")]
    if divide != 1:
        operations.append(Normalise(tensor=IMAGE, mean=(subtract,), std=(divide,)))
    if reading.mean or reading.std:
        operations.append(Normalise(tensor=IMAGE, mean=reading.mean or (0.0,), std=reading.std or (1.0,)))
    if spec.datatype == "FP16":
        operations.append(Cast(tensor=IMAGE, datatype="FP16"))
    return tuple(operations)


def _layout(spec: TensorSpec, reading: ImageReading) -> tuple[str, int, int, int]:
    """`nhwc` or `nchw`, height, width, channels."""
    if len(spec.shape) != 4:
        raise DataError(
            f"input {spec.name!r} takes no images",
            why=f"its shape is {list(spec.shape)}, and four dimensions are needed: rows, height, width, channels",
        )
    shape = spec.shape
    fitting = [name for name, place in (("nhwc", 3), ("nchw", 1)) if shape[place] in (1, 3)]
    if reading.layout:
        layout = reading.layout
    elif len(fitting) == 1:
        layout = "nhwc" if fitting[0] == "nhwc" else "nchw"
    else:
        raise DataError(
            f"it is not clear which dimension of input {spec.name!r} holds the channels",
            why=f"its shape is {list(shape)}",
            hint='declare "layout": "nhwc" or "nchw"',
        )
    sizes = (shape[1], shape[2], shape[3]) if layout == "nhwc" else (shape[2], shape[3], shape[1])
    height = _size(spec, "height", sizes[0], reading.height)
    width = _size(spec, "width", sizes[1], reading.width)
    channels = (1 if reading.mode == "grey" else 3) if isinstance(sizes[2], str) else sizes[2]
    return layout, height, width, channels


def _size(spec: TensorSpec, what: str, fixed: int | str, declared: int) -> int:
    if isinstance(fixed, int):
        if declared not in (0, fixed):
            raise DataError(f"{what} {declared} is declared, and input {spec.name!r} takes {fixed}")
        return fixed
    if not declared:
        raise DataError(f"the {what} of input {spec.name!r} is open", hint=f'declare "{what}" in "images"')
    return declared
