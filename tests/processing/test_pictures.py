import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.operations import plan_operations
from modeldyno.records.image_operations import ColourHistogram, DecodeImage, GradientHistogram
from modeldyno.records.processing import Operation
from modeldyno.records.signature import TensorSpec
from modeldyno.testing.pictures import encoded, pixels

pytest.importorskip("PIL", reason="images need the extra `image`")
FILES = TensorSpec(name="image", datatype="BYTES", shape=("batch",))


def run(array: NDArray[Any], spec: TensorSpec, *operations: Operation) -> NDArray[Any]:
    step = plan_operations(operations, {spec.name: spec}, place="here")
    made: NDArray[Any] = step.apply({spec.name: array})[spec.name]
    assert tuple(step.specs[spec.name].shape[1:]) == made.shape[1:]
    return made


def decode(content: bytes, **settings: Any) -> NDArray[Any]:
    operation = DecodeImage(tensor="image", **{"height": 8, "width": 8, **settings})
    array = np.empty(1, object)
    array[0] = content
    made: NDArray[Any] = run(array, FILES, operation)[0]
    return made


@pytest.mark.parametrize("kind", ("PNG", "BMP"))
def test_pixels_come_back_as_they_were(kind: str) -> None:
    assert pixels().tolist() == decode(encoded(pixels(), kind)).tolist()


def test_jpeg_and_webp_decode_to_about_the_same() -> None:
    smooth = np.broadcast_to(np.arange(0, 256, 32, dtype=np.uint8)[:, None, None], (8, 8, 3))
    for kind in ("JPEG", "WEBP"):
        assert np.abs(decode(encoded(np.ascontiguousarray(smooth), kind)).astype(int) - smooth).max() < 40


def test_the_order_of_the_channels_is_declared() -> None:
    assert pixels()[:, :, ::-1].tolist() == decode(encoded(pixels()), mode="bgr").tolist()
    grey = decode(encoded(pixels()[:, :, 0]), mode="grey")
    assert pixels()[:, :, :1].tolist() == grey.tolist()


def test_another_size_is_refused_until_it_is_declared_what_becomes_of_it() -> None:
    with pytest.raises(DataError, match="6 × 10 pixels, and 8 × 8 are needed") as caught:
        decode(encoded(pixels(6, 10)))
    assert '"fit": "crop"' in caught.value.hint


def test_a_crop_takes_the_middle() -> None:
    image = pixels(8, 14)
    assert image[:, 3:11].tolist() == decode(encoded(image), fit="crop").tolist()


def test_a_crop_may_be_smaller_than_the_resized_image() -> None:
    image = pixels(12, 16)
    assert image[2:10, 4:12].tolist() == decode(encoded(image), fit="crop", shorter=12).tolist()


def test_padding_is_black_on_both_sides() -> None:
    made = decode(encoded(np.full((8, 4, 3), 200, np.uint8)), fit="pad")
    assert [0, 0, 200, 200, 200, 200, 0, 0] == made[3, :, 0].tolist()


def test_stretching_keeps_everything() -> None:
    half = np.repeat(np.array([[0, 255]], np.uint8), 4, axis=0).repeat(4, axis=1)
    made = decode(encoded(half), mode="grey", fit="stretch", filter="nearest")[:, :, 0]
    assert [0, 0, 0, 0, 255, 255, 255, 255] == made[0].tolist()
    assert made[0].tolist() == made[7].tolist()


def test_the_orientation_of_a_camera_is_applied() -> None:
    from PIL import Image

    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(pixels()).save(stream, "PNG", exif=exif)
    assert np.rot90(pixels(), -1).tolist() == decode(stream.getvalue()).tolist()


@pytest.mark.parametrize("content", (b"", b"no image", encoded(pixels())[:60], b"GIF89a" + b"\0" * 40))
def test_what_does_not_decode_is_named(content: bytes) -> None:
    with pytest.raises(DataError, match="value 0 of tensor 'image'"):
        decode(content)


def test_more_than_eight_bits_a_channel_are_refused() -> None:
    wide = np.arange(64, dtype=np.uint16).reshape(8, 8)
    with pytest.raises(DataError, match="more than 8 bits"):
        decode(encoded(wide))  # type: ignore[arg-type]


def test_a_file_that_claims_to_be_huge_is_refused_unread() -> None:
    content = bytearray(encoded(pixels()))
    content[16:24] = (9_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    with pytest.raises(DataError, match="9,000 × 9,000 pixels"):
        decode(bytes(content))


def test_a_shorter_side_without_a_crop_means_nothing() -> None:
    with pytest.raises(UsageError, match="shorter 300"):
        decode(encoded(pixels()), shorter=300)


IMAGES = TensorSpec(name="image", datatype="UINT8", shape=("batch", 8, 8, 3))


def test_a_colour_histogram_counts_each_channel() -> None:
    images = np.stack([pixels(seed=seed) for seed in range(3)])
    made = run(images, IMAGES, ColourHistogram(tensor="image", bins=4))
    expected = [[np.histogram(image[:, :, channel], 4, (0, 256))[0] / 64 for channel in range(3)] for image in images]
    np.testing.assert_allclose(np.array(expected).reshape(3, 12), made, rtol=1e-6)


def test_a_gradient_histogram_finds_the_direction_of_a_ramp() -> None:
    ramp = np.broadcast_to(np.arange(0, 80, 10, dtype=np.uint8), (8, 8))[..., None].repeat(3, axis=2)
    across, down = run(
        np.stack([ramp, ramp.transpose(1, 0, 2)]), IMAGES, GradientHistogram(tensor="image", cells=1, bins=4)
    )
    assert [1, 0, 0, 0] == across.round(5).tolist()
    assert [0, 0, 1, 0] == down.round(5).tolist()


def test_a_flat_image_has_no_gradients_and_no_nan() -> None:
    made = run(np.full((1, 8, 8, 3), 7, np.uint8), IMAGES, GradientHistogram(tensor="image"))
    assert [0.0] == np.unique(made).tolist()


def test_histograms_of_what_is_no_image_are_refused() -> None:
    with pytest.raises(UsageError, match="holds no images"):
        run(
            np.zeros((1, 8), np.uint8),
            TensorSpec(name="image", datatype="UINT8", shape=("batch", 8)),
            ColourHistogram(tensor="image"),
        )
