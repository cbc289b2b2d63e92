"""The other child process of `openvino_int8`: which layers to leave in single precision, within a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.children import answer
from modeldyno.clock import Clock, SystemClock
from modeldyno.compression.calibration import read_calibration
from modeldyno.compression.openvino_int8 import Measure, RestoringResult, RestoringTask
from modeldyno.compression.openvino_int8_child import quantised, quantised_layers, save
from modeldyno.errors import InputError
from modeldyno.openvino_library import load_openvino, read_network

_RANKING_SHARE = 0.5
"""Of the budget: the other half is for quantising again."""
_RANKING_ROWS = 16
"""To find out which layers cost most, not how much exactly."""

Rows = Sequence[dict[str, NDArray[np.generic]]]
Answers = list[NDArray[np.float64]]
"""The float outputs, all rows together."""


def restore(task: RestoringTask, clock: Clock | None = None) -> RestoringResult:
    """Quantise, rank the layers, and quantise again without the worst until the answers are close enough.

    Raises:
        InputError: there is nothing to restore, or no restoration brings the answers closer.
    """
    clock = clock or SystemClock()
    end_ns = clock.now_ns() + task.budget_ns
    rows = read_calibration(task.quantising.calibration)
    plain = read_network(Path(task.quantising.source))
    wanted = answers_of(plain, rows)
    first = read_network(Path(task.first))
    before = how_far_off(wanted, answers_of(first, rows), task.measure)
    if before <= task.most_off:
        raise InputError(
            f"nothing to restore in {Path(task.quantising.source).name}",
            why=f"on the {task.quantising.calibration.rows} rows of the calibration int8 is {before:.2%} off, "
            f"and {task.most_off:.0%} is allowed",
        )
    layers = len(quantised_layers(first))
    ranking_end_ns = clock.now_ns() + round(_RANKING_SHARE * (end_ns - clock.now_ns()))
    ranked, tried = _ranked(task, plain, rows[:_RANKING_ROWS], clock, ranking_end_ns)
    restored, after = _widened(task, ranked, rows, wanted, before, clock, end_ns)
    return RestoringResult(restored=restored, layers=layers, tried=tried, off_before=before, off_after=after)


def _ranked(task: RestoringTask, plain: Any, rows: Rows, clock: Clock, end_ns: int) -> tuple[list[str], int]:
    """Names of layers, the dearest first, and how many were tried.

    What a layer costs is the error of the answers when it alone is in int8: put back alone, it would be hidden behind
    a worse one. Biases are not corrected here, for a correction makes up for the rounding of all layers together.
    """
    wanted = answers_of(plain, rows)
    rough = quantised(task.quantising, correct_biases=False)
    names = [one.get_friendly_name() for one in quantised_layers(rough)]
    originals = {one.get_friendly_name(): one for one in plain.get_ops()}
    errors: dict[str, float] = {}
    for name in names:
        if clock.now_ns() >= end_ns:
            break
        alone = rough.clone()
        for layer in quantised_layers(alone):
            if layer.get_friendly_name() != name:
                put_back(layer, originals[layer.get_friendly_name()])
        errors[name] = how_far_off(wanted, answers_of(alone, rows), "error")
    return sorted(errors, key=lambda name: -errors[name]), len(errors)


def _widened(
    task: RestoringTask, ranked: list[str], rows: Rows, wanted: Answers, before: float, clock: Clock, end_ns: int
) -> tuple[tuple[str, ...], float]:
    """The best of the quantisations that spare 1, 2, 4, ... of the ranked layers; it is written."""
    best: tuple[tuple[str, ...], float] = ((), before)
    count, longest_ns = 1, 0
    while ranked and clock.now_ns() + longest_ns < end_ns:
        started_ns = clock.now_ns()
        spared = tuple(ranked[:count])
        network = quantised(task.quantising, spared=spared)
        off = how_far_off(wanted, answers_of(network, rows), task.measure)
        if off < best[1]:
            best = (spared, off)
            save(network, task.quantising)
        if off <= task.most_off or count >= len(ranked):
            break
        count = min(2 * count, len(ranked))
        longest_ns = max(longest_ns, clock.now_ns() - started_ns)
    if not best[0]:
        raise InputError(
            f"no layer of {Path(task.quantising.source).name} is worth restoring",
            why=f"int8 is {before:.2%} off, and not less without the {count} layers that cost most",
            hint="it is better served in single precision",
        )
    return best


def put_back(layer: Any, original: Any) -> None:
    """Have a quantised layer compute on what is not rounded: its activations, and the weights of the original."""
    openvino = load_openvino()
    for number, taken in enumerate(layer.inputs()):
        source = taken.get_source_output().get_node()
        if source.get_type_name() == "FakeQuantize":
            taken.replace_source_output(source.input(0).get_source_output())
            continue
        weights = original.input(number).get_source_output().get_node()
        if weights.get_type_name() == "Constant":
            taken.replace_source_output(openvino.opset8.constant(weights.get_data()).output(0))


def answers_of(network: Any, rows: Rows) -> Answers:
    """What a model answers to the rows, in single precision where it is not int8."""
    options = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    request = load_openvino().Core().compile_model(network, "CPU", options).create_infer_request()
    places = [place for place, port in enumerate(network.outputs) if port.get_element_type().is_real()]
    found: list[list[NDArray[np.float64]]] = []
    for inputs in rows:
        request.infer(inputs)
        found.append([request.get_output_tensor(place).data.astype(np.float64) for place in places])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def how_far_off(wanted: Answers, found: Answers, measure: Measure) -> float:
    """0 when the answers are the same.

    The share of rows with another largest value in the last output that has several; or the root of the mean squared
    error over that of the values, of the output that is furthest off.
    """
    several = [pair for pair in zip(wanted, found, strict=True) if pair[0].ndim > 1 and pair[0].shape[-1] > 1]
    if measure == "flips" and several:
        expected, actual = several[-1]
        return float((expected.argmax(axis=-1) != actual.argmax(axis=-1)).mean())
    errors = [
        np.sqrt(np.mean((expected - actual) ** 2) / max(float(np.mean(expected**2)), 1e-30))
        for expected, actual in zip(wanted, found, strict=True)
    ]
    return float(max(errors, default=0.0))


if __name__ == "__main__":
    answer(restore, RestoringTask)
