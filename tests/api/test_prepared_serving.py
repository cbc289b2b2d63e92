"""The same document prepares rows for an evaluation, for a pipeline and on a server."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modeldyno
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.api.subjects import subject_at
from modeldyno.clock import SystemClock
from modeldyno.records.data_document import DataDocument
from modeldyno.records.files import write_record
from modeldyno.records.image_operations import ColourHistogram, DecodeImage
from modeldyno.records.preparation import FitImpute, FitOneHot, FitProject, FitScale, Preparation
from modeldyno.records.processing import Cast, Concatenate, JoinColumns
from modeldyno.testing.pictures import encoded, save_picture
from modeldyno.testing.scikit_bundles import write_scikit_bundle

STEPS = Preparation(
    steps=(
        JoinColumns(tensors=("length", "width"), output="numbers"),
        FitImpute(tensor="numbers"),
        FitScale(tensor="numbers"),
        FitProject(tensor="numbers", components=2),
        Cast(tensor="numbers", datatype="FP32"),
        FitOneHot(tensor="colour"),
        Concatenate(tensors=("numbers", "colour"), output="input"),
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training rows with gaps and texts, a model of their prepared form, and its pipeline."""
    from sklearn.linear_model import LogisticRegression

    place = tmp_path_factory.mktemp("prepared")
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 300)
    length, width = generator.normal(labels * 2, 1, 300), generator.normal(5, 3, 300)
    colours = np.where(generator.random(300) < 0.8, np.where(labels, "red", "blue"), "green")
    lines = [
        f"{'' if row % 9 == 0 else f'{length[row]:.4f}'},{width[row]:.4f},{colours[row]},{labels[row]}"
        for row in range(300)
    ]
    for name, part in (("train", lines[:200]), ("test", lines[200:])):
        (place / f"{name}.csv").write_text("\n".join(["length,width,colour,y", *part]) + "\n")
    modeldyno.prepare(place / "train.csv", STEPS, out=place / "processing.json", rows_out=place / "train.npz")
    prepared = np.load(place / "train.npz")
    model = LogisticRegression(max_iter=500).fit(prepared["input"], prepared["y"])
    write_scikit_bundle(place / "model.bundle", model)
    write_record(place / "data.json", DataDocument(path="test.csv", processing="processing.json"))
    modeldyno.combine("sequence", [place / "processing.json", place / "model.bundle"], out=place / "whole.pipeline")
    return place


def test_a_pipeline_is_as_right_on_raw_rows_as_the_model_on_prepared_ones(folder: Path) -> None:
    alone = modeldyno.evaluate(folder / "model.bundle", data=folder / "data.json").quality
    assert alone is not None
    assert alone.metrics["accuracy"].value > 0.85
    rows = [line.split(",") for line in (folder / "test.csv").read_text().split()[1:]]
    subject = subject_at(folder / "whole.pipeline", trust=False, task=None)
    session = subject.open()
    answers = session.run(_tensors(rows))
    session.close()
    labels = np.array([int(row[3]) for row in rows])
    assert alone.metrics["accuracy"].value == pytest.approx((answers["label"] == labels).mean())


def test_a_server_prepares_its_requests_in_the_same_way(folder: Path, tmp_path: Path) -> None:
    import tritonclient.http

    rows = [line.split(",") for line in (folder / "test.csv").read_text().split()[1:]]
    tensors = _tensors(rows)
    session = subject_at(folder / "whole.pipeline", trust=False, task=None).open()
    expected = session.run(tensors)
    session.close()
    command = ["serve", str(folder / "whole.pipeline"), "--port", "0", "--json"]
    with ServerProcess("modeldyno", command, log=tmp_path / "log", clock=SystemClock()) as one:
        url = json.loads(one.first_line)["url"].removeprefix("http://")
        with tritonclient.http.InferenceServerClient(url) as client:
            inputs = []
            for name, array in tensors.items():
                datatype = "BYTES" if array.dtype == object else "FP64"
                inputs.append(tritonclient.http.InferInput(name, list(array.shape), datatype))
                inputs[-1].set_data_from_numpy(array)
            answer = client.infer("whole", inputs)
    assert expected["label"].tolist() == answer.as_numpy("label").tolist()
    probabilities = np.asarray(expected["probabilities"], np.float64)
    np.testing.assert_allclose(probabilities, answer.as_numpy("probabilities"), rtol=1e-5)


def _tensors(rows: list[list[str]]) -> dict[str, Any]:
    colour = np.empty(len(rows), object)
    colour[:] = [row[2].encode() for row in rows]
    numbers = {name: [float(row[place] or "nan") for row in rows] for place, name in enumerate(("length", "width"))}
    return {**{name: np.array(values) for name, values in numbers.items()}, "colour": colour}


def test_images_go_to_a_pipeline_as_files(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="images need the extra `image`")
    from sklearn.linear_model import LogisticRegression

    steps = (
        DecodeImage(tensor="image", height=8, width=8, fit="stretch"),
        ColourHistogram(tensor="image", output="input", bins=4),
    )
    write_record(tmp_path / "steps.json", Preparation(steps=steps))
    for number in range(12):
        value = np.full((10, 9, 3), 40 if number % 2 else 220, np.uint8)
        save_picture(tmp_path / "train" / ("dark" if number % 2 else "light") / f"{number}.png", value)
    prepared = modeldyno.prepare(
        tmp_path / "train", tmp_path / "steps.json", out=tmp_path / "processing.json", rows_out=tmp_path / "rows.npz"
    )
    assert ["image", "input"] == [spec.name for spec in prepared.outputs]
    rows = np.load(tmp_path / "rows.npz")
    model = LogisticRegression().fit(rows["input"], rows["y"])
    write_scikit_bundle(tmp_path / "model.bundle", model)
    whole = tmp_path / "whole.pipeline"
    modeldyno.combine("sequence", [tmp_path / "processing.json", tmp_path / "model.bundle"], out=whole)
    quality = modeldyno.evaluate(whole, data=tmp_path / "train").quality
    assert quality is not None
    assert 1.0 == quality.metrics["accuracy"].value
    session = subject_at(whole, trust=False, task=None).open()
    one = np.empty(1, object)
    one[0] = encoded(np.full((30, 30, 3), 200, np.uint8))
    assert "light" == session.run({"image": one})["label"].tolist()[0].decode()
    session.close()
