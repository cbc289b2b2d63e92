"""Graphs that answer each row together with copies of it: held against averaging by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tests.models.onnx.averaging_models import bright_images, save, write_left_half, write_rounding

from modeldyno.children import ChildLimits
from modeldyno.errors import InputError, UsageError
from modeldyno.models.examine import examine
from modeldyno.models.onnx.averaging import AveragingTask, Scale, average_copies, recipe_of
from modeldyno.models.onnx.averaging_child import average
from modeldyno.openvino_library import is_openvino_installed
from modeldyno.records.robustness import Perturbation, PerturbationKind

LIMITS = ChildLimits(timeout_ns=60 * 10**9, memory_bytes=8 * 2**30)


def task_of(
    source: Path, kind: PerturbationKind, severity: float = 1, *, scores: str | None = "probabilities"
) -> AveragingTask:
    model = examine(source, trust=False)
    scale = Scale(std=(1.0, 2.0, 0.0) if "rounding" in source.name else (1.0,), low=-2.0, high=2.0)
    return AveragingTask(
        source=str(source),
        destination=str(source.with_name("averaged.onnx")),
        signature=model.signature,
        classes=model.classes,
        scores=scores,
        change=Perturbation(kind=kind, severities=(severity,)),
        scales={spec.name: scale for spec in model.signature.inputs},
        seed=1,
    )


def answers(path: str | Path, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [np.asarray(one) for one in session.run(None, inputs)]


def edged(images: NDArray[Any], down: int, across: int) -> NDArray[Any]:
    """Images [rows, channels, height, width] moved, the edge repeated."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    return padded[:, :, 1 - down : 9 - down, 1 - across : 9 - across]


@pytest.mark.parametrize("opset", (13, 17, 18, 21))
def test_the_answer_to_an_image_is_the_mean_of_its_and_its_mirror_images(tmp_path: Path, opset: int) -> None:
    source = write_left_half(tmp_path / "left.onnx", opset=opset)
    images, _ = bright_images(10)
    task = task_of(source, "mirror")
    assert "numbers averaged, label of the highest mean of probabilities" == average(task).joined
    both = [answers(source, image=one)[1] for one in (images, images[..., ::-1].copy())]
    label, probabilities = answers(task.destination, image=images)
    assert np.allclose(np.mean(both, axis=0), probabilities, atol=1e-6)
    assert np.array_equal(np.mean(both, axis=0).argmax(axis=1), label)


def test_channels_may_come_last(tmp_path: Path) -> None:
    source = write_left_half(tmp_path / "left.onnx", shape=("batch", 8, 8, 1))
    images = bright_images(10)[0].reshape(10, 8, 8, 1)
    task = task_of(source, "mirror")
    average(task)
    both = [answers(source, image=one)[1] for one in (images, images[:, :, ::-1].copy())]
    assert np.allclose(np.mean(both, axis=0), answers(task.destination, image=images)[1], atol=1e-6)


def test_images_are_moved_to_four_sides_and_their_edges_repeated(tmp_path: Path) -> None:
    source = write_left_half(tmp_path / "left.onnx")
    images, _ = bright_images(10)
    task = task_of(source, "shift")
    average(task)
    moved = [images, *(edged(images, down, across) for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1)))]
    expected = np.mean([answers(source, image=np.ascontiguousarray(one))[1] for one in moved], axis=0)
    assert np.allclose(expected, answers(task.destination, image=images)[1], atol=1e-6)


def test_lighter_and_darker_images_stay_within_the_range_of_the_data(tmp_path: Path) -> None:
    source = write_left_half(tmp_path / "left.onnx")
    images, _ = bright_images(10)
    task = task_of(source, "brightness", 0.1)
    average(task)
    made = [images, *(np.clip(images + step, -2, 2).astype(np.float32) for step in (0.4, -0.4))]
    expected = np.mean([answers(source, image=one)[1] for one in made], axis=0)
    assert np.allclose(expected, answers(task.destination, image=images)[1], atol=1e-6)


def test_noise_is_the_same_for_every_row_and_cancels_out_of_what_is_linear(tmp_path: Path) -> None:
    source = write_rounding(tmp_path / "rounding.onnx")
    rows = np.random.default_rng(2).normal(0, 3, (50, 3)).astype(np.float32)
    task = task_of(source, "noise", 0.5, scores=None)
    assert "numbers averaged, label by vote" == average(task).joined
    _, value = answers(task.destination, x=rows)
    assert np.allclose(rows.sum(axis=1), value, atol=1e-5)
    one_by_one = [answers(task.destination, x=rows[row : row + 1]) for row in range(50)]
    assert np.array_equal(answers(task.destination, x=rows)[0], np.concatenate([one[0] for one in one_by_one]))


def test_the_most_frequent_label_wins_a_vote_and_of_several_that_of_the_row_itself(tmp_path: Path) -> None:
    source = write_rounding(tmp_path / "rounding.onnx", label=TensorProto.INT32)
    rows = np.random.default_rng(3).normal(0, 3, (200, 3)).astype(np.float32)
    task = task_of(source, "noise", 1, scores=None)
    average(task)
    noises = noises_of(task.destination)
    votes = np.stack([answers(source, x=rows + one)[0][:, 0] for one in (np.zeros(3, np.float32), *noises)])
    counts = (votes[:, np.newaxis] == votes[np.newaxis]).sum(axis=1)
    expected = votes[counts.argmax(axis=0), np.arange(200)]
    found = answers(task.destination, x=rows)[0]
    assert (200, 1) == found.shape
    assert found.dtype == np.int32
    assert np.array_equal(expected, found[:, 0])
    assert len(np.unique(votes[:, votes.min(axis=0) != votes.max(axis=0)])) > 1  # votes were split somewhere


def noises_of(path: str) -> list[NDArray[np.float32]]:
    graph = onnx.load(path).graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    return [constants[node.input[1]] for node in graph.node if node.op_type == "Add"]


def test_whole_numbers_stay_whole_and_within_a_byte(tmp_path: Path) -> None:
    source = write_rounding(tmp_path / "rounding.onnx", datatype=TensorProto.UINT8)
    rows = np.array([[0, 0, 0], [255, 255, 255], [100, 100, 100]], np.uint8)
    task = task_of(source, "noise", 5, scores=None)
    average(task)
    noises: list[NDArray[Any]] = [np.zeros(3), *noises_of(task.destination)]
    made = [np.clip(np.rint(rows + noise), 0, 255) for noise in noises]
    expected = np.mean([one.sum(axis=1) for one in made], axis=0)
    assert np.allclose(expected, answers(task.destination, x=rows)[1])


def test_inputs_that_are_not_changed_are_repeated(tmp_path: Path) -> None:
    values = [
        helper.make_tensor_value_info(name, kind, ["batch", *sizes])
        for name, kind, sizes in (
            ("image", TensorProto.FLOAT, [1, 2, 2]),
            ("name", TensorProto.STRING, [1]),
            ("first", TensorProto.FLOAT, [1, 2, 2]),
            ("echo", TensorProto.STRING, [1]),
        )
    ]
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in (("image", "first"), ("name", "echo"))]
    source = save(helper.make_graph(nodes, "two", values[:2], values[2:3]), tmp_path / "two.onnx", 17)
    task = task_of(source, "mirror", scores=None)
    average(task)
    images = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    (found,) = answers(task.destination, image=images, name=np.array([["a"], ["b"]], object))
    assert np.array_equal((images + images[..., ::-1]) / 2, found)
    source = save(helper.make_graph(nodes, "two", values[:2], values[2:]), tmp_path / "texts.onnx", 17)
    with pytest.raises(InputError, match="'echo' cannot be averaged"):
        average(task_of(source, "mirror", scores=None))


def test_what_can_neither_be_averaged_nor_voted_on_is_refused(tmp_path: Path) -> None:
    source = write_left_half(tmp_path / "left.onnx", outputs="label")
    with pytest.raises(InputError, match="'label' cannot be averaged") as caught:
        average(task_of(source, "mirror", scores=None))
    assert "a vote of two is none" in caught.value.why
    with pytest.raises(UsageError, match="no fixed copies are made by typos"):
        average_copies(task_of(source, "typos"), limits=LIMITS)


def test_an_old_opset_is_refused_by_the_child_in_words(tmp_path: Path) -> None:
    source = write_left_half(tmp_path / "left.onnx", opset=11)
    with pytest.raises(InputError, match="is of opset 11"):
        average_copies(task_of(source, "mirror"), limits=LIMITS)


def test_the_recipe_says_what_was_done_to_a_row() -> None:
    change = Perturbation(kind="mirror", severities=(1.0,))
    assert "each row answered 2 times (mirror 1, 1 copy), numbers averaged" == recipe_of(change, "numbers averaged")


@pytest.mark.skipif(not is_openvino_installed(), reason="OpenVINO is not installed")
@pytest.mark.parametrize("kind", ("mirror", "shift", "brightness", "noise"))
def test_openvino_gives_the_same_answers(tmp_path: Path, kind: PerturbationKind) -> None:
    from modeldyno.openvino_library import load_openvino

    source = write_left_half(tmp_path / "left.onnx")
    task = task_of(source, kind, 0.1 if kind == "brightness" else 1)
    average(task)
    images, _ = bright_images(10)
    core = load_openvino().Core()
    found = core.compile_model(task.destination, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})({"image": images})
    label, probabilities = answers(task.destination, image=images)
    assert np.allclose(probabilities, found["probabilities"], atol=1e-5)
    assert np.array_equal(label, found["label"])
