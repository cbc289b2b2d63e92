from pathlib import Path

import numpy as np
import pytest

from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError, InputError
from modeldyno.records.data_document import DataDocument, ImageReading
from modeldyno.records.files import write_record
from modeldyno.records.image_operations import DecodeImage
from modeldyno.records.processing import Cast, Processing
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.pictures import encoded, pixels, save_picture

pytest.importorskip("PIL", reason="images need the extra `image`")
OUTPUT = (TensorSpec(name="label", datatype="INT64", shape=("batch",)),)


def signature(datatype: str, *shape: int | str) -> Signature:
    return Signature(inputs=(TensorSpec(name="x", datatype=datatype, shape=("batch", *shape)),), outputs=OUTPUT)


NHWC = signature("UINT8", 8, 8, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("dog/a", "cat/b", "cat/c")):
        save_picture(tmp_path / "pets" / f"{name}.png", pixels(seed=seed))
    (tmp_path / "pets" / ".hidden").mkdir()
    return tmp_path / "pets"


def document(folder: Path, **fields: object) -> Path:
    path = folder.parent / "pets.json"
    write_record(path, DataDocument(path="pets", **fields))  # type: ignore[arg-type]
    return path


def test_a_folder_for_each_class_gives_images_and_labels(folder: Path) -> None:
    dataset = open_dataset(folder, NHWC)
    assert dataset.labels is not None
    assert ["cat", "cat", "dog"] == dataset.labels.tolist()
    expected = np.stack([pixels(seed=1), pixels(seed=2), pixels(seed=0)])
    assert expected.tolist() == dataset.inputs(0, 3)["x"].tolist()
    assert expected[2:].tolist() == dataset.inputs(2, 3)["x"].tolist()
    assert "pets: 3 rows, 8 × 8 × 3 a row, labels folder (2 classes), after decode_image" == dataset.describe()


def test_numbered_folders_are_class_numbers(tmp_path: Path) -> None:
    for name in ("10", "2"):
        save_picture(tmp_path / name / "a.png", pixels())
    dataset = open_dataset(tmp_path, NHWC)
    assert dataset.labels is not None
    assert [10, 2] == dataset.labels.tolist()


def test_the_layout_is_that_of_the_signature(folder: Path) -> None:
    dataset = open_dataset(folder, signature("UINT8", 3, 8, 8))
    assert pixels(seed=1).transpose(2, 0, 1).tolist() == dataset.inputs(0, 1)["x"][0].tolist()


def test_floats_need_a_declared_scaling(folder: Path) -> None:
    with pytest.raises(DataError, match="it is not declared how pixels from 0 to 255 are scaled") as caught:
        open_dataset(folder, signature("FP32", 3, 8, 8))
    assert '"scaling": "unit"' in caught.value.hint


@pytest.mark.parametrize(
    ("reading", "expected"),
    (
        (ImageReading(scaling="none"), lambda image: image),
        (ImageReading(scaling="unit"), lambda image: image / 255),
        (ImageReading(scaling="symmetric"), lambda image: image / 127.5 - 1),
        (
            ImageReading(scaling="unit", mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3)),
            lambda image: (image / 255 - [0.4, 0.5, 0.6]) / [0.1, 0.2, 0.3],
        ),
        (ImageReading(mean=(100,), mode="bgr"), lambda image: image[:, :, ::-1] - 100.0),
    ),
)
def test_declared_scalings_are_what_they_say(folder: Path, reading: ImageReading, expected: object) -> None:
    dataset = open_dataset(document(folder, images=reading), signature("FP32", 8, 8, 3))
    wanted = expected(pixels(seed=1).astype(float))  # type: ignore[operator]
    np.testing.assert_allclose(wanted, dataset.inputs(0, 1)["x"][0], rtol=1e-5, atol=1e-5)


def test_scaled_pixels_are_no_whole_numbers(folder: Path) -> None:
    with pytest.raises(DataError, match="is UINT8"):
        open_dataset(document(folder, images=ImageReading(scaling="unit")), NHWC)


def test_open_sizes_are_declared(folder: Path) -> None:
    open_sizes = signature("UINT8", "height", "width", 3)
    with pytest.raises(DataError, match="the height of input 'x' is open"):
        open_dataset(folder, open_sizes)
    reading = ImageReading(height=4, width=6, fit="stretch")
    assert (2, 4, 6, 3) == open_dataset(document(folder, images=reading), open_sizes).inputs(0, 2)["x"].shape


def test_channels_that_could_be_anywhere_are_declared(folder: Path) -> None:
    with pytest.raises(DataError, match="which dimension of input 'x' holds the channels"):
        open_dataset(folder, signature("UINT8", 3, 8, 3))


def test_files_that_are_no_images_are_named_before_anything_is_computed(folder: Path) -> None:
    (folder / "cat" / "broken.png").write_bytes(b"nothing")
    (folder / "dog" / "empty.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 5 images in pets cannot be decoded: cat/broken.png, dog/empty.jpg"):
        open_dataset(folder, NHWC)


def test_images_that_are_cut_off_are_named_when_they_are_read(folder: Path) -> None:
    (folder / "dog" / "b.png").write_bytes(encoded(pixels())[:100])
    dataset = open_dataset(folder, NHWC)
    with pytest.raises(DataError, match=r"1 of 3 rows cannot be prepared: dog/b.png") as caught:
        dataset.inputs(1, 4)
    assert "does not decode" in caught.value.why


def test_labels_of_a_flat_folder_are_in_a_table(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        save_picture(tmp_path / f"{name}.png", pixels(seed=seed))
    assert open_dataset(tmp_path, NHWC).labels is None
    (tmp_path / "labels.csv").write_text("file,species\nb.png,cat\na.png,dog\n")
    dataset = open_dataset(tmp_path, NHWC)
    assert dataset.labels is not None
    assert ["cat", "dog"] == dataset.labels.tolist()
    assert pixels(seed=1).tolist() == dataset.inputs(0, 1)["x"][0].tolist()


def test_a_table_that_names_missing_files_is_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", pixels())
    (tmp_path / "labels.csv").write_text("file,y\nlost.png,1\na.png,1\n")
    with pytest.raises(DataError, match=r"1 files that are not there: lost\.png"):
        open_dataset(tmp_path, NHWC)


def test_images_beside_folders_of_images_are_refused(folder: Path) -> None:
    save_picture(folder / "stray.png", pixels())
    with pytest.raises(DataError, match="images beside folders"):
        open_dataset(folder, NHWC)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        open_dataset(tmp_path, NHWC)


def test_a_model_that_takes_files_gets_them(folder: Path) -> None:
    dataset = open_dataset(folder, signature("BYTES"))
    assert encoded(pixels(seed=1)) == dataset.inputs(0, 1)["x"][0]


def test_the_digest_knows_pixels_and_declaration(folder: Path) -> None:
    plain = open_dataset(folder, NHWC).digest
    bgr = open_dataset(document(folder, images=ImageReading(mode="bgr")), NHWC).digest
    save_picture(folder / "dog" / "a.png", pixels(seed=9))
    assert 3 == len({plain, bgr, open_dataset(folder, NHWC).digest})


def test_declared_classes_turn_texts_into_numbers(folder: Path) -> None:
    dataset = open_dataset(document(folder, classes=("dog", "cat")), NHWC)
    assert dataset.labels is not None
    assert [1, 1, 0] == dataset.labels.tolist()
    with pytest.raises(DataError, match="labels dog are none of the classes"):
        open_dataset(document(folder, classes=("cat", "bird")), NHWC)


def test_processing_of_a_document_is_run_on_the_files(folder: Path) -> None:
    operations = (DecodeImage(tensor="image", height=8, width=8), Cast(tensor="image", datatype="FP32"))
    write_record(folder.parent / "steps.json", Processing(operations=operations))
    dataset = open_dataset(document(folder, processing="steps.json"), signature("FP32", 8, 8, 3))
    assert pixels(seed=1).astype(float).tolist() == dataset.inputs(0, 1)["x"][0].tolist()


def test_a_json_file_that_is_no_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"rows": []}')
    with pytest.raises(InputError, match="not a valid datadocument"):
        open_dataset(tmp_path / "data.json", NHWC)


def test_gaps_may_pass_where_that_is_declared(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,\n,3\n")
    write_record(tmp_path / "data.json", DataDocument(path="rows.csv", gaps=True))
    with pytest.raises(DataError, match="2 NaN or missing"):
        open_dataset(tmp_path / "rows.csv", signature("FP32", 2))
    rows = open_dataset(tmp_path / "data.json", signature("FP32", 2)).inputs(0, 2)["x"]
    assert [[1, -1], [-1, 3]] == np.nan_to_num(rows, nan=-1).tolist()


def test_missing_values_may_pass_to_operations_that_fill_them(tmp_path: Path) -> None:
    from modeldyno.records.processing import Impute

    spec = TensorSpec(name="raw", datatype="FP64", shape=("batch", 2))
    steps = Processing(
        operations=(Impute(tensor="raw", values=(5.0, 6.0)), Cast(tensor="raw", datatype="FP32")), inputs=(spec,)
    )
    write_record(tmp_path / "steps.json", steps)
    (tmp_path / "rows.csv").write_text("a,b,y\n1,,0\n,3,1\n")
    write_record(tmp_path / "data.json", DataDocument(path="rows.csv", processing="steps.json"))
    dataset = open_dataset(tmp_path / "data.json", signature("FP32", 2))
    assert [[1, 6], [5, 3]] == dataset.inputs(0, 2)["x"].tolist()
    assert dataset.labels is not None
    assert [0, 1] == dataset.labels.tolist()
