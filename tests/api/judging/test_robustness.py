import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.api.judging.answers import answer_rows
from modeldyno.api.judging.averaging import measure_averaging
from modeldyno.api.judging.robustness import Answered, measure_robustness
from modeldyno.augmentation.perturbing import parse_perturbations
from modeldyno.data.arrays import ArrayDataset
from modeldyno.errors import DataError, UsageError
from modeldyno.protocols import Silent, Tensors
from modeldyno.quality.rows import Rows
from modeldyno.records.robustness import Perturbation
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.clock import ManualClock

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
    outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=("batch", 2)),),
)
LABELS = np.tile([0, 1], 400)


class Slope:
    """Answers 1 where the first number is above 0; each call takes a second on its clock."""

    signature = SIGNATURE

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        self._clock.advance_ns(1_000_000_000)
        share = 1 / (1 + np.exp(-np.asarray(inputs["x"], np.float64)[:, 0]))
        return {"probabilities": np.stack([1 - share, share], axis=1).astype(np.float32)}

    def close(self) -> None: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def answered(clock: ManualClock) -> Answered:
    rows = np.random.default_rng(0).normal(size=(800, 2)).astype(np.float32)
    rows[:, 0] = np.where(LABELS, 1, -1) * (0.2 + np.abs(rows[:, 0]))
    session, dataset = Slope(clock), ArrayDataset("rows", {"x": rows}, LABELS, "y")
    answers = answer_rows(session, dataset, task="classification", classes=(), progress=Silent())
    return Answered(session, dataset, Rows(LABELS), "classification", answers)


def test_noise_costs_more_accuracy_the_stronger_it_is(answered: Answered) -> None:
    robustness = measure_robustness(answered, parse_perturbations("noise=0.1:0.5:3"), seed=1, progress=Silent())
    (curve,) = robustness.curves
    accuracies = [point.metrics["accuracy"].value for point in curve.points]
    assert sorted(accuracies, reverse=True) == accuracies
    assert accuracies[0] > 0.95
    assert accuracies[-1] < 0.8
    for point in curve.points:
        estimate, drop = point.metrics["accuracy"], point.drops["accuracy"]
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high or estimate.value == 1
        assert drop.value == pytest.approx(1 - estimate.value)
        assert point.flip_rate is not None
        assert point.flip_rate.value == pytest.approx(1 - estimate.value)


def test_the_same_seed_gives_the_same_curve(answered: Answered) -> None:
    first, again, other = (
        measure_robustness(answered, parse_perturbations("noise=1"), seed=seed, progress=Silent()) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.curves != other.curves


def test_unbalanced_classes_are_fewer_rows_and_no_new_answers(answered: Answered) -> None:
    robustness = measure_robustness(answered, parse_perturbations("imbalance=4"), seed=1, progress=Silent())
    (point,) = robustness.curves[0].points
    assert 500 == point.rows
    assert {} == point.drops
    assert point.flip_rate is None


def test_what_cannot_be_changed_is_refused_before_anything_is_computed(answered: Answered) -> None:
    with pytest.raises(DataError, match="typos cannot be done"):
        measure_robustness(answered, parse_perturbations("noise=1,typos=0.1"), seed=1, progress=Silent())


def test_averaging_over_copies_tells_gain_and_cost(answered: Answered, clock: ManualClock) -> None:
    noise = Perturbation(kind="noise", severities=(0.5, 2))
    found = measure_averaging(answered, noise, copies=4, seed=1, clock=clock, progress=Silent())
    assert Perturbation(kind="noise", severities=(0.5,)) == found.perturbation
    assert (5.0, 5.0, 5.0) == (found.cost.value, found.cost.low, found.cost.high)
    gain = found.gains["accuracy"]
    assert gain.value == pytest.approx(found.metrics["accuracy"].value - 1)
    assert gain.value < 0  # all answers were right before
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low <= gain.value <= gain.high
    assert found.changed.value == pytest.approx(-gain.value)


@pytest.mark.parametrize(("kind", "copies"), (("noise", 0), ("noise", 65), ("imbalance", 2)))
def test_what_cannot_be_averaged_over_is_refused(
    answered: Answered, clock: ManualClock, kind: str, copies: int
) -> None:
    with pytest.raises(UsageError):
        measure_averaging(answered, parse_perturbations(kind)[0], copies=copies, seed=1, clock=clock, progress=Silent())
