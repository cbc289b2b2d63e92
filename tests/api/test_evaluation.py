import csv
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

import modeldyno
from modeldyno.errors import DataError, ObjectiveError, TargetError, UsageError
from modeldyno.records.bundle import Datasheet, Samples
from modeldyno.records.evaluation import Evaluation, Recheck
from modeldyno.records.files import digest_file, read_record, write_record
from modeldyno.records.metrics import METRIC_NAMES
from modeldyno.records.search import Search
from modeldyno.reports.terminal.evaluation import evaluation_text


def arrays(wine: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(wine / "wine.npz") as content:
        return content["X"], content["y"]


@pytest.fixture
def table(wine: Path, tmp_path: Path) -> Path:
    """The held-out rows with a column to slice by, weights, and a column of text."""
    features, labels = arrays(wine)
    path = tmp_path / "wine.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*(f"f{number}" for number in range(features.shape[1])), "site", "w", "y"])
        for number, row in enumerate(features):
            writer.writerow([*row, ("north", "south")[number % 2], 1 + number % 3, labels[number]])
    return path


def test_a_model_is_told_by_class_by_slice_and_by_its_scores(wine: Path, table: Path) -> None:
    found = modeldyno.evaluate(
        wine / "wine.skops", data=table, label="y", beside=modeldyno.Beside(slices=("site",), weights="w")
    )
    quality = found.quality
    assert quality is not None
    assert quality.is_weighted
    assert ["0", "1", "2"] == [one.name for one in quality.classes]
    assert {"site=north": 45, "site=south": 44} == {one.name: one.rows for one in quality.slices}
    assert {"roc_auc_macro", "log_loss", "calibration_error", "pr_auc_weighted"} <= set(quality.metrics)
    drawings = found.drawings
    assert drawings is not None
    assert drawings.confusion is not None
    assert 89 == sum(map(sum, drawings.confusion.counts))
    assert (3, 3) == (len(drawings.roc), len(drawings.precision_recall))
    assert 89 == sum(one.rows for one in drawings.calibration)


def test_the_columns_beside_are_no_features(wine: Path, table: Path) -> None:
    plain = modeldyno.evaluate(wine / "wine.skops", data=wine / "wine.npz")
    beside = modeldyno.evaluate(
        wine / "wine.skops", data=table, label="y", beside=modeldyno.Beside(slices=("site", "w"))
    )
    assert plain.quality is not None
    assert beside.quality is not None
    assert plain.quality.metrics["accuracy"] == beside.quality.metrics["accuracy"]


def test_objectives_are_judged_on_classes_slices_and_every_kind_of_metric(wine: Path, table: Path) -> None:
    found = modeldyno.evaluate(
        wine / "wine.skops",
        data=table,
        label="y",
        beside=modeldyno.Beside(slices=("site", "w")),
        reference=wine / "wine.skops",
        slo="recall[1]>=20%, accuracy[site=south]>=50%, log_loss<=9, roc_auc>=50%, f3_macro>=10%, top2_accuracy>=10%, "
        "log_loss_rise<=0.5, roc_auc_drop<=10%, recall_drop[2]<=60%, flip_rate<=10%, accuracy>=99.999%",
    )
    assert ["pass"] * 10 == [one.verdict for one in found.verdicts[:10]]
    assert found.verdicts[10].verdict in ("cannot_tell", "fail")
    assert "recall of 1 is" in found.verdicts[0].evidence


@pytest.mark.parametrize(
    ("slo", "words"),
    (
        ("recall[9]>=50%", "no class or slice '9'"),
        ("mae<=1", "this model's task has no mae"),
        ("accuracy_drop<=1%", "needs a model to compare with"),
        ("cosine>=99%", "needs a model to compare with"),
        ("precision_binary>=1%", "do not have exactly two classes"),
        ("p99<20ms", "cannot judge"),
    ),
)
def test_an_objective_that_cannot_be_judged_says_why(wine: Path, slo: str, words: str) -> None:
    with pytest.raises(ObjectiveError, match=words.replace("[", r"\[")):
        modeldyno.evaluate(wine / "wine.skops", data=wine / "wine.npz", slo=slo)


def test_every_metric_parses_as_an_objective() -> None:
    from modeldyno.records.metrics import change_name, metric_named
    from modeldyno.records.objective import parse_objectives

    for name in METRIC_NAMES:
        known = metric_named(name)
        assert known is not None
        sign, limit = (">=", "50%") if known.higher_is_better else ("<=", "0.5")
        assert name == parse_objectives(f"{name}{sign}{limit}")[0].metric
        change = change_name(name)
        if change is not None:
            assert "quality_change" == parse_objectives(f"{change}<=0.1")[0].kind


def test_without_labels_the_change_alone_is_told(wine: Path, tmp_path: Path) -> None:
    features, _ = arrays(wine)
    np.save(tmp_path / "rows.npy", features)
    found = modeldyno.evaluate(
        wine / "wine.skops", data=tmp_path / "rows.npy", reference=wine / "wine.skops", slo="flip_rate<=5%"
    )
    assert (None, 0, "pass") == (found.quality, found.change and found.change.flips, found.verdicts[0].verdict)
    with pytest.raises(DataError, match="no labels"):
        modeldyno.evaluate(wine / "wine.skops", data=tmp_path / "rows.npy")


@pytest.mark.parametrize(
    ("beside", "words"),
    (
        (modeldyno.Beside(slices=("place",)), "no column or array 'place'"),
        (modeldyno.Beside(weights="site"), "are no numbers"),
        (modeldyno.Beside(queries="site"), "means nothing to the task classification"),
    ),
)
def test_a_column_that_is_not_what_it_should_be_is_told(
    wine: Path, table: Path, beside: modeldyno.Beside, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        modeldyno.evaluate(
            wine / "wine.skops",
            data=table,
            label="y",
            beside=modeldyno.Beside(
                slices=(*beside.slices, "site", "w"), weights=beside.weights, queries=beside.queries
            ),
        )


def test_a_negative_weight_is_refused(wine: Path, tmp_path: Path) -> None:
    features, labels = arrays(wine)
    weights = np.ones(len(labels))
    weights[3] = -1
    np.savez(tmp_path / "rows.npz", X=features, y=labels, w=weights)
    with pytest.raises(DataError, match="weight of row 3"):
        modeldyno.evaluate(wine / "wine.skops", data=tmp_path / "rows.npz", beside=modeldyno.Beside(weights="w"))


def test_a_ranking_is_judged_by_query(tmp_path: Path) -> None:
    import skops.io
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(1)
    features = random.normal(size=(200, 3)).astype(np.float32)
    relevance = np.clip(np.round(features[:, 0] + 0.3 * random.normal(size=200)), 0, 3)
    skops.io.dump(LinearRegression().fit(features, relevance), tmp_path / "rank.skops")
    np.savez(tmp_path / "rows.npz", X=features, y=relevance, query=np.repeat(np.arange(20), 10))
    found = modeldyno.evaluate(
        tmp_path / "rank.skops",
        data=tmp_path / "rows.npz",
        task="ranking",
        beside=modeldyno.Beside(queries="query"),
        slo="ndcg@10>=50%, recall@3>=1%",
    )
    assert found.quality is not None
    assert found.quality.metrics["mrr"].value > 0.7
    assert ["pass", "pass"] == [one.verdict for one in found.verdicts]


@pytest.fixture
def bundle(tuned: tuple[Search, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tuned[1] / "wine.bundle", tmp_path / "copy.bundle"))


def rechecked(bundle: Path, wine: Path) -> tuple[Evaluation, Recheck]:
    found = modeldyno.evaluate(bundle, data=wine / "wine.npz", reference=wine / "wine.skops")
    assert found.recheck is not None
    return found, found.recheck


def test_a_bundle_holds_what_it_promises_where_it_was_made(bundle: Path, wine: Path) -> None:
    _, recheck = rechecked(bundle, wine)
    assert "pass" == recheck.verdict
    claims = {one.what: one for one in recheck.claims}
    assert "4 of 4 sample requests" in claims["sample requests"].evidence
    assert "0 of 89 answers are others" in claims["expected answers"].evidence
    assert {"accuracy", "f1_macro", "answers other than the reference's"} <= set(claims)


def test_a_bundle_can_be_looked_at_without_data(bundle: Path) -> None:
    found = modeldyno.evaluate(bundle)
    assert found.recheck is not None
    assert (None, "pass", ["sample requests"]) == (
        found.quality, found.recheck.verdict, [one.what for one in found.recheck.claims],
    )  # fmt: skip
    assert "give the rows it was proven on with --data FILE" in found.recheck.notes[-1]
    with pytest.raises(DataError, match="cannot be judged without data"):
        modeldyno.evaluate(bundle, slo="accuracy>=1%")


def test_a_model_file_needs_data(wine: Path) -> None:
    with pytest.raises(DataError, match="without data"):
        modeldyno.evaluate(wine / "wine.skops")


def change_record(bundle: Path, name: str, kind: type[Samples] | type[Datasheet], **fields: object) -> None:
    """Change a record of a bundle, as if it had been proven so; the manifest follows."""
    changed: Samples | Datasheet = msgspec.structs.replace(read_record(bundle / name, kind), **fields)
    write_record(bundle / name, changed)
    manifest = msgspec.json.decode((bundle / "bundle.json").read_bytes())
    manifest["files"][name] = digest_file(bundle / name)
    (bundle / "bundle.json").write_bytes(msgspec.json.encode(manifest))


def test_other_sample_answers_do_not_hold(bundle: Path, wine: Path) -> None:
    samples = read_record(bundle / "samples.json", Samples)
    first = samples.samples[0]
    other = {name: _moved(values) for name, values in first.outputs.items()}
    change_record(
        bundle, "samples.json", Samples, samples=(msgspec.structs.replace(first, outputs=other), *samples.samples[1:])
    )
    _, recheck = rechecked(bundle, wine)
    assert "fail" == recheck.verdict
    assert "1 of 4 sample requests are answered otherwise" in recheck.claims[0].evidence


def _moved(values: list) -> list:  # type: ignore[type-arg]
    return [_moved(one) if isinstance(one, list) else one + 1 for one in values]


def test_answers_that_flip_beyond_what_was_proven_do_not_hold(bundle: Path, wine: Path) -> None:
    answers = read_record(bundle / "samples.json", Samples).answers
    flipped = tuple((int(one) + 1) % 3 if number < 60 else one for number, one in enumerate(answers))
    change_record(bundle, "samples.json", Samples, answers=flipped)
    _, recheck = rechecked(bundle, wine)
    claim = next(one for one in recheck.claims if one.what == "expected answers")
    assert ("fail", "fail") == (recheck.verdict, claim.verdict)
    assert "60 of 89 answers are others than where it was made" in claim.evidence


def test_a_quality_below_the_proven_limit_does_not_hold(bundle: Path, wine: Path) -> None:
    datasheet = read_record(bundle / "datasheet.json", Datasheet)
    assert datasheet.quality is not None
    better = {name: msgspec.structs.replace(one, value=1.0, low=0.9999, high=1.0) for name, one in
              datasheet.quality.metrics.items()}  # fmt: skip
    change_record(
        bundle, "datasheet.json", Datasheet, quality=msgspec.structs.replace(datasheet.quality, metrics=better)
    )
    found, recheck = rechecked(bundle, wine)
    assert found.quality is not None
    expected = "pass" if found.quality.metrics["accuracy"].value == 1 else "fail"
    assert expected == recheck.verdict
    other = msgspec.structs.replace(datasheet.quality, metrics=better, labels_digest="sha256:other")
    change_record(bundle, "datasheet.json", Datasheet, quality=other)
    _, recheck = rechecked(bundle, wine)
    assert "accuracy" not in {one.what for one in recheck.claims if one.verdict == "pass"}


def test_an_unreachable_server_is_told(wine: Path) -> None:
    with pytest.raises(TargetError, match="cannot reach"):
        modeldyno.evaluate("http://127.0.0.1:9", data=wine / "wine.npz")


def test_another_processor_than_the_one_it_was_made_on_is_told_first(bundle: Path) -> None:
    manifest = msgspec.json.decode((bundle / "bundle.json").read_bytes())
    manifest["artifact"] |= {"cpu_flags": ["warp9"], "computed_in": "int4"}
    (bundle / "bundle.json").write_bytes(msgspec.json.encode(manifest))
    found = modeldyno.evaluate(bundle)
    told = evaluation_text(found).splitlines()[0]
    assert "note       this processor lacks warp9" in told
    assert found.recheck is not None
    assert "its file was made for that one" in found.recheck.processor
    assert ("were in int4 there" in found.recheck.processor) == (manifest["deployment"]["runtime"] == "onnxruntime")
