import pytest

from modeldyno.errors import ObjectiveError
from modeldyno.records.metrics import METRIC_NAMES, change_name, changed_metric, metric_named
from modeldyno.records.objective import parse_objectives


@pytest.mark.parametrize("name", ("f1_macro", "f0.5_binary", "f3", "top3_accuracy", "recall@10", "log_loss", "cosine"))
def test_a_metric_is_known_by_its_name(name: str) -> None:
    found = metric_named(name)
    assert found is not None
    assert name == found.name


@pytest.mark.parametrize("name", ("f0_macro", "top0_accuracy", "recall@0", "f1_mean", "ndcg@", "recall@1.5", "p99", ""))
def test_what_is_no_metric_is_not_known(name: str) -> None:
    assert metric_named(name) is None


def test_a_change_is_a_drop_of_what_should_be_high_and_a_rise_of_what_should_be_low() -> None:
    assert ("accuracy_drop", "log_loss_rise") == (change_name("accuracy"), change_name("log_loss"))
    assert changed_metric("accuracy_rise") is None
    assert change_name("flip_rate") is None
    for name in METRIC_NAMES:
        change = change_name(name)
        assert change is None or name == changed_metric(change)


def test_an_objective_can_name_a_class_or_a_slice_whatever_is_in_its_name() -> None:
    one, other = parse_objectives("recall[sweet, not sour]>=0.9, accuracy_drop[site=north]<=1%")
    assert ("recall", "sweet, not sour", 0.9) == (one.metric, one.group, one.limit)
    assert ("accuracy_drop", "site=north", "quality_change") == (other.metric, other.group, other.kind)


def test_classes_may_each_have_their_limit_but_none_two() -> None:
    assert 2 == len(parse_objectives("recall[a]>=90%, recall[b]>=80%"))
    with pytest.raises(ObjectiveError, match="limited already"):
        parse_objectives("recall[a]>=90%, recall[a]>=80%")


def test_speed_has_no_classes() -> None:
    with pytest.raises(ObjectiveError, match="has no classes"):
        parse_objectives("p99[a]<20ms")


@pytest.mark.parametrize(
    ("text", "limit"), (("log_loss<=0.3", 0.3), ("mape<=150%", 1.5), ("calibration_error<=5%", 0.05), ("mcc>=0.8", 0.8))
)
def test_limits_are_in_the_unit_of_the_metric(text: str, limit: float) -> None:
    assert limit == parse_objectives(text)[0].limit


def test_the_better_side_is_known_of_every_metric() -> None:
    for text in ("log_loss>=0.3", "cosine<=0.3", "calibration_error>=0.3", "ndcg@10<=0.3"):
        with pytest.raises(ObjectiveError, match="is better for"):
            parse_objectives(text)
