from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from modeldyno.augmentation.draws import RowDraws
from modeldyno.augmentation.perturbing import MEANINGS, changed, is_changed, parse_perturbations, require_changeable
from modeldyno.augmentation.spread import spread_of
from modeldyno.errors import DataError, UsageError
from modeldyno.records.robustness import Perturbation, PerturbationKind
from modeldyno.records.signature import TensorSpec

TABLE = TensorSpec(name="x", datatype="FP32", shape=("batch", 4))
PIXELS = TensorSpec(name="x", datatype="UINT8", shape=("batch", 3, 12, 12))
TEXTS = TensorSpec(name="x", datatype="BYTES", shape=("batch",))
ROWS = np.random.default_rng(0).normal([0, 10, 0, -5], [1, 5, 0, 2], (400, 4)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (20, 3, 12, 12), dtype=np.uint8)


def change(
    array: NDArray[Any], kind: PerturbationKind, severity: float, spec: TensorSpec, start: int = 0
) -> NDArray[Any]:
    spread = None if spec.datatype == "BYTES" else spread_of(IMAGES if spec is PIXELS else ROWS)
    return changed(array, kind, severity, spec, spread=spread, draws=RowDraws(7, start, len(array)))


@pytest.mark.parametrize(("kind", "severity"), (("noise", 0.3), ("missing", 0.3), ("brightness", 0.2)))
@settings(max_examples=20)
@given(cut=st.integers(1, 39))
def test_a_row_of_a_table_is_changed_alike_in_any_block(kind: PerturbationKind, severity: float, cut: int) -> None:
    rows = ROWS[:40]
    whole = change(rows, kind, severity, TABLE)
    parts = [change(rows[:cut], kind, severity, TABLE), change(rows[cut:], kind, severity, TABLE, start=cut)]
    assert whole.tolist() == np.concatenate(parts).tolist()
    assert whole.tolist() != rows.tolist()
    assert np.float32 == whole.dtype


@pytest.mark.parametrize(
    ("kind", "severity"),
    (("noise", 0.3), ("blur", 1), ("rotation", 20), ("crop", 0.3), ("mirror", 1), ("shift", 2), ("brightness", 0.2)),
)
def test_images_keep_datatype_and_shape_and_differ_row_by_row(kind: PerturbationKind, severity: float) -> None:
    whole = change(IMAGES, kind, severity, PIXELS)
    parts = [change(IMAGES[:7], kind, severity, PIXELS), change(IMAGES[7:], kind, severity, PIXELS, start=7)]
    assert (IMAGES.shape, np.dtype(np.uint8)) == (whole.shape, whole.dtype)
    assert whole.tolist() == np.concatenate(parts).tolist()
    assert (whole != IMAGES).any(axis=(1, 2, 3)).all()


def test_noise_is_measured_in_the_spread_of_each_column() -> None:
    added = change(ROWS, "noise", 0.5, TABLE) - ROWS
    np.testing.assert_allclose([0.5, 2.5, 0, 1], added.std(axis=0), rtol=0.15, atol=1e-6)
    assert abs(added.mean()) < 0.2


def test_missing_values_are_the_mean_of_their_column() -> None:
    made = change(ROWS, "missing", 0.25, TABLE)
    lost = made != ROWS
    assert 0.2 < lost[:, [0, 1, 3]].mean() < 0.3
    for column in (0, 1, 3):
        assert 1 == len(np.unique(made[lost[:, column], column]))
        np.testing.assert_allclose(ROWS[:, column].mean(), made[lost[:, column], column][0], rtol=1e-4)


def test_more_severity_loses_what_less_lost_too() -> None:
    little, much = (change(ROWS, "missing", severity, TABLE) != ROWS for severity in (0.1, 0.4))
    assert bool((much | ~little).all())


def test_blur_keeps_flat_images_and_the_mean() -> None:
    flat = np.full((1, 3, 12, 12), 90, np.uint8)
    assert flat.tolist() == change(flat, "blur", 2, PIXELS).tolist()
    ramp = np.zeros((1, 3, 12, 12), np.uint8)
    ramp[:, :, 6, 6] = 255
    blurred = change(ramp, "blur", 1, PIXELS)[0, 0]
    assert blurred[6, 6] == blurred.max() < 60
    np.testing.assert_array_equal(blurred, blurred.T)


def test_a_quarter_turn_is_one() -> None:
    made = change(IMAGES, "rotation", 90, PIXELS)
    for before, after in zip(IMAGES, made, strict=True):
        turns = [np.rot90(before, times, (1, 2)).tolist() for times in (1, 3)]
        assert after.tolist() in turns


def test_a_mirrored_image_mirrored_again_is_itself() -> None:
    once = change(IMAGES, "mirror", 1, PIXELS)
    assert IMAGES[:, :, :, ::-1].tolist() == once.tolist()


def test_an_image_is_moved_by_a_pixel_to_one_of_four_sides() -> None:
    made = change(IMAGES, "shift", 1, PIXELS)
    padded = np.pad(IMAGES, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    sides = ((0, 1), (2, 1), (1, 0), (1, 2))
    moved = [padded[:, :, down : down + 12, across : across + 12] for down, across in sides]
    found = [next(side for side, one in enumerate(moved) if np.array_equal(one[row], made[row])) for row in range(20)]
    assert {0, 1, 2, 3} == set(found)


def test_what_is_missing_has_no_part_in_the_spread_and_stays_missing() -> None:
    gaps = ROWS.copy()
    gaps[::2, 1] = np.nan
    gaps[:, 2] = np.nan
    spread, whole = spread_of(gaps), spread_of(ROWS)
    np.testing.assert_allclose(ROWS[1::2, 1].std(), spread.std[1], rtol=1e-5)
    np.testing.assert_allclose(ROWS[1::2, 1].mean(), spread.mean[1], rtol=1e-5)
    assert [0.0, 0.0] == [float(spread.std[2]), float(spread.mean[2])]
    np.testing.assert_allclose(whole.std[[0, 3]], spread.std[[0, 3]])
    draws = RowDraws(7, 0, len(gaps))
    made = changed(gaps, "noise", 0.5, TABLE, spread=spread, draws=draws)
    assert np.array_equal(np.isnan(gaps), np.isnan(made))
    nothing = spread_of(np.full((3, 2), np.nan))
    assert (0.0, 0.0) == (nothing.low, nothing.high)


def test_a_crop_stays_within_the_image() -> None:
    gradient = np.broadcast_to(np.arange(12, dtype=np.uint8) * 20, (5, 3, 12, 12))
    made = change(np.ascontiguousarray(gradient), "crop", 0.5, PIXELS)
    widths = made[:, 0, 0, -1].astype(int) - made[:, 0, 0, 0]
    assert bool(((widths >= 100) & (widths <= 120)).all())


def test_pixels_stay_within_their_range() -> None:
    made = change(np.full((3, 3, 12, 12), 250, np.uint8), "brightness", 0.5, PIXELS)
    assert {122, 123, 255} >= set(np.unique(made).tolist())


def test_typos_change_a_share_of_the_characters_and_stay_text() -> None:
    texts = np.empty(2, object)
    texts[:] = ["ä quick brown fox ".encode() * 50, b""]
    made = change(texts, "typos", 0.1, TEXTS)
    assert b"" == made[1]
    assert made[0] != texts[0]
    assert abs(len(made[0].decode()) - len(texts[0].decode())) < 60
    assert made.tolist() == change(texts, "typos", 0.1, TEXTS).tolist()


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    (
        ("noise", TABLE, True),
        ("noise", TEXTS, False),
        ("noise", TensorSpec(name="x", datatype="INT64", shape=("batch", 4)), False),
        ("blur", TABLE, False),
        ("blur", PIXELS, True),
        ("typos", TEXTS, True),
        ("typos", TABLE, False),
    ),
)
def test_a_change_is_for_what_it_is_a_change_of(kind: PerturbationKind, spec: TensorSpec, *, expected: bool) -> None:
    assert expected == is_changed(kind, spec)


def test_a_change_that_no_input_allows_is_refused_with_the_inputs() -> None:
    with pytest.raises(DataError, match="blur cannot be done") as caught:
        require_changeable(Perturbation(kind="blur", severities=(1,)), (TABLE,))
    assert "x FP32 ['batch', 4]" in caught.value.why


def test_changes_are_parsed_with_their_severities() -> None:
    noise, blur, rotation = parse_perturbations("noise=0.2:0.1, blur=2,rotation")
    assert Perturbation(kind="noise", severities=(0.1, 0.2)) == noise
    assert Perturbation(kind="blur", severities=(2,)) == blur
    assert Perturbation(kind="rotation", severities=(5, 10, 20, 45)) == rotation


@pytest.mark.parametrize(
    "text",
    ("", "fog=1", "noise=", "noise=a", "noise=0", "noise=-1", "noise=nan", "noise=inf", "crop=1", "missing=1.2",
     "imbalance=0.5", "noise=1,noise=2"),
)  # fmt: skip
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_perturbations(text)


def test_every_kind_has_usual_severities() -> None:
    assert list(MEANINGS) == [one.kind for one in parse_perturbations(",".join(MEANINGS))]
