"""Real classifiers combined, evaluated and served."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import modeldyno
from modeldyno.api.served.pipelines import open_pipeline_session
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.api.subjects import subject_at
from modeldyno.cli.main import main
from modeldyno.clock import SystemClock
from modeldyno.deployment.pipeline_bundle import open_pipeline
from modeldyno.errors import InputError, ObjectiveError, UsageError
from modeldyno.records.combination import Combination
from modeldyno.records.files import from_json, write_record
from modeldyno.records.pipeline import Cascade, Member, Sequence
from modeldyno.records.processing import Cast, Labels, Processing, Rename, Scale, Select
from modeldyno.records.signature import TensorSpec
from modeldyno.testing.bundles import write_echo_bundle
from modeldyno.testing.models import WORDS
from modeldyno.testing.scikit_bundles import write_scikit_bundle


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small and a big classifier, and rows that neither has seen."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    folder = tmp_path_factory.mktemp("digits")
    data = load_digits()
    seen, held_out, seen_labels, labels = train_test_split(
        (data.data / 16).astype(np.float32), data.target, test_size=0.5, random_state=0, stratify=data.target
    )
    small = LogisticRegression(max_iter=1000).fit(seen[:200], seen_labels[:200])
    big = MLPClassifier((64,), max_iter=1000, random_state=0).fit(seen, seen_labels)
    write_scikit_bundle(folder / "small.bundle", small)
    write_scikit_bundle(folder / "big.bundle", big)
    np.savez(folder / "digits.npz", X=held_out, y=labels)
    return folder


@pytest.fixture(scope="module")
def chosen(digits: Path) -> Combination:
    """A cascade whose threshold was chosen by measurement."""
    return modeldyno.combine(
        "cascade",
        [digits / "small.bundle", digits / "big.bundle"],
        out=digits / "digits.cascade",
        slo="accuracy_drop<=2%",
        data=digits / "digits.npz",
    )


def rows_of(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    with np.load(folder / "digits.npz") as arrays:
        return arrays["X"], arrays["y"]


def test_the_threshold_is_the_lowest_of_those_that_meet_the_objective_one_after_another(chosen: Combination) -> None:
    graph = chosen.pipeline.graph
    assert isinstance(graph, Cascade)
    passing = [bool(trial.verdicts) and all(one.verdict == "pass" for one in trial.verdicts) for trial in chosen.trials]
    first_bad = passing.index(False)
    assert (chosen.trials[first_bad - 1].threshold,) == graph.thresholds
    assert not any(trial.verdicts for trial in chosen.trials[first_bad + 1 :])
    assert ["pass"] == [one.verdict for one in chosen.verdicts]
    assert sorted((trial.threshold for trial in chosen.trials), reverse=True) == [
        one.threshold for one in chosen.trials
    ]


def test_what_the_trial_says_of_the_chosen_threshold_is_what_the_pipeline_does(
    chosen: Combination, digits: Path
) -> None:
    rows, labels = rows_of(digits)
    pipeline = open_pipeline(digits / "digits.cascade")
    session = open_pipeline_session(digits / "digits.cascade", pipeline)
    made = session.run({"input": rows})
    session.close()
    (trial,) = [one for one in chosen.trials if (one.threshold,) == pipeline.graph.thresholds]  # type: ignore[union-attr]
    assert trial.passed_on.value == pytest.approx(float((made["cascade_stage"] == 1).mean()))
    assert trial.accuracy.value == pytest.approx(float((made["label"] == labels).mean()))
    assert chosen.quality is not None
    assert trial.accuracy.value == pytest.approx(chosen.quality.metrics["accuracy"].value)
    first, last = chosen.parts
    expected = first.ns_per_row + trial.passed_on.value * last.ns_per_row
    assert expected == pytest.approx(trial.ns_per_row)


@pytest.mark.slow
def test_a_served_cascade_answers_row_by_row_as_the_evaluation_says(
    chosen: Combination, digits: Path, tmp_path: Path
) -> None:
    import tritonclient.grpc
    import tritonclient.http

    rows, _ = rows_of(digits)
    subject = subject_at(Path(str(chosen.out)), trust=False, task=None)
    session = subject.open()
    expected = session.run({"input": rows})
    session.close()
    assert {0, 1} == set(expected["cascade_stage"].tolist())
    command = ["serve", str(chosen.out), "--port", "0", "--grpc-port", "0", "--json"]
    with ServerProcess("modeldyno", command, log=tmp_path / "log", clock=SystemClock()) as one:
        places = json.loads(one.first_line)
        with tritonclient.http.InferenceServerClient(places["url"].removeprefix("http://")) as client:
            assert_same(expected, ask(tritonclient.http, client, rows))
            for row in range(0, len(rows), 7):
                alone = ask(tritonclient.http, client, rows[row : row + 1])
                assert_same({name: array[row : row + 1] for name, array in expected.items()}, alone)
            config = client.get_model_config("digits")
            assert "cascade" in config["parameters"]["graph"]["string_value"]
            (own,) = client.get_inference_statistics("digits")["model_stats"]
            assert "digits" == own["name"]
            counted = {each["name"]: each for each in client.get_inference_statistics()["model_stats"]}
        with tritonclient.grpc.InferenceServerClient(places["grpc_url"].removeprefix("grpc://")) as client:
            assert_same(expected, ask(tritonclient.grpc, client, rows))
            assert not client.is_model_ready("digits/small")
            assert not client.is_model_ready("small")
    assert {"digits", "digits/small", "digits/big"} == set(counted)
    assert counted["digits"]["inference_count"] == counted["digits/small"]["inference_count"]
    passed_on = expected["cascade_stage"].sum() + expected["cascade_stage"][::7].sum()
    assert passed_on == counted["digits/big"]["inference_count"]


def ask(library: Any, client: Any, rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    tensor = library.InferInput("input", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    answer = client.infer("digits", [tensor])
    return {name: answer.as_numpy(name) for name in ("label", "probabilities", "cascade_stage")}


def assert_same(expected: dict[str, NDArray[Any]], made: dict[str, NDArray[Any]]) -> None:
    np.testing.assert_array_equal(expected["label"], made["label"])
    np.testing.assert_array_equal(expected["cascade_stage"], made["cascade_stage"])
    # A row alone may be summed up in another order than among others.
    np.testing.assert_allclose(expected["probabilities"], made["probabilities"], rtol=1e-5, atol=1e-6)


def test_the_samples_of_a_cascade_are_rows_of_both_stages(chosen: Combination, digits: Path) -> None:
    from modeldyno.deployment.pipeline_bundle import samples_of

    samples = samples_of(digits / "digits.cascade", chosen.pipeline).samples
    assert {0, 1} == {sample.outputs["cascade_stage"][0] for sample in samples}


def test_an_objective_that_cannot_be_met_writes_nothing_and_says_so(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none.cascade"
    bundles = [str(digits / "small.bundle"), str(digits / "big.bundle")]
    data = ["--data", str(digits / "digits.npz"), "--out", str(out)]
    assert 3 == main(["combine", "cascade", *bundles, *data, "--slo", "accuracy>=99.99%"])
    assert "nothing was written" in capsys.readouterr().out
    assert 4 == main(["combine", "cascade", *bundles, *data, "--slo", "accuracy_drop<=0.1%", "--json"])
    record = from_json(capsys.readouterr().out.encode(), Combination, "stdout")
    assert ["cannot_tell"] == [one.verdict for one in record.verdicts]
    assert record.out is None
    assert not out.exists()


def test_the_report_shows_the_thresholds(
    chosen: Combination, digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles = [str(digits / "small.bundle"), str(digits / "big.bundle")]
    command = ["combine", "cascade", *bundles, "--data", str(digits / "digits.npz"), "--slo", "accuracy_drop<=2%"]
    assert 0 == main([*command, "--out", str(tmp_path / "again")])
    text = capsys.readouterr().out
    assert chosen.pipeline.graph.thresholds  # type: ignore[union-attr]
    for words in ("accuracy_drop<=2%", "passed on", "▸", "not tested", "small", "the whole", "dyno serve"):
        assert words in text


def test_an_ensemble_is_measured_with_its_members(digits: Path, tmp_path: Path) -> None:
    combination = modeldyno.combine(
        "ensemble",
        [digits / "small.bundle", digits / "big.bundle"],
        out=tmp_path / "both",
        rule=modeldyno.JoinRule(average="probabilities", weights=(1, 2)),
        data=digits / "digits.npz",
    )
    rows, labels = rows_of(digits)
    session = open_pipeline_session(tmp_path / "both", open_pipeline(tmp_path / "both"))
    accuracy = float((session.run({"input": rows})["probabilities"].argmax(axis=1) == labels).mean())
    session.close()
    assert combination.quality is not None
    assert accuracy == pytest.approx(combination.quality.metrics["accuracy"].value)
    assert ["small", "big"] == [part.name for part in combination.parts]
    assert "small" == combination.reference


def test_a_pipeline_can_be_evaluated_and_combined_again(chosen: Combination, digits: Path, tmp_path: Path) -> None:
    evaluation = modeldyno.evaluate(str(chosen.out), data=digits / "digits.npz")
    assert chosen.quality is not None
    assert evaluation.quality is not None
    assert chosen.quality.metrics["accuracy"].value == evaluation.quality.metrics["accuracy"].value
    nested = modeldyno.combine(
        "ensemble",
        [str(chosen.out), digits / "big.bundle"],
        out=tmp_path / "nested",
        rule=modeldyno.JoinRule(vote="label"),
    )
    assert {"members/digits.small", "members/digits.big", "members/big"} == {
        name.rpartition("/")[0] for name in nested.pipeline.files if name.count("/") == 2
    }
    rows, _ = rows_of(digits)
    session = open_pipeline_session(tmp_path / "nested", open_pipeline(tmp_path / "nested"))
    assert len(rows) == len(session.run({"input": rows})["label"])
    session.close()


def test_operations_go_before_and_behind_a_model(digits: Path, tmp_path: Path) -> None:
    before = Processing(
        inputs=(TensorSpec(name="pixels", datatype="UINT8", shape=("batch", 64)),),
        operations=(
            Cast(tensor="pixels", datatype="FP32"),
            Scale(tensor="pixels", multiply=(1 / 16,)),
        ),
    )
    behind = Processing(operations=(Labels(tensor="label", labels=WORDS, output="word"),))
    write_record(tmp_path / "before.json", before)
    write_record(tmp_path / "behind.json", behind)
    parts = [tmp_path / "before.json", digits / "big.bundle", tmp_path / "behind.json"]
    combination = modeldyno.combine("sequence", parts, out=tmp_path / "words.pipeline")
    assert ("words", ["pixels"]) == (
        combination.pipeline.name,
        [one.name for one in combination.pipeline.signature.inputs],
    )
    renamed = Sequence(steps=(Processing(operations=(Rename(names={"pixels": "input"}),)), Member(name="big")))
    assert isinstance(combination.pipeline.graph, Sequence)
    assert renamed == combination.pipeline.graph.steps[1]  # it is the only tensor that can be meant
    rows, _ = rows_of(digits)
    session = open_pipeline_session(tmp_path / "words.pipeline", combination.pipeline)
    made = session.run({"pixels": (rows[:5] * 16).astype(np.uint8)})
    session.close()
    assert [WORDS[label].encode() for label in made["label"]] == made["word"].tolist()


def test_bundles_of_one_name_are_told_apart(digits: Path, tmp_path: Path) -> None:
    bundle = digits / "big.bundle"
    combination = modeldyno.combine(
        "ensemble", [bundle, bundle, bundle], out=tmp_path / "three", rule=modeldyno.JoinRule(vote="label")
    )
    folders = {name.split("/")[1] for name in combination.pipeline.files if "/" in name}
    assert {"big", "big-2", "big-3"} == folders


@pytest.mark.parametrize(
    ("kind", "rule", "slo", "reason"),
    (
        ("cascade", {}, "", "needs a threshold"),
        ("cascade", {"vote": "label"}, "", "vote is a matter of ensembles"),
        ("cascade", {"thresholds": (0.9, 0.8)}, "", "not 1 finite"),
        ("cascade", {"thresholds": (0.9,), "confidence": "label"}, "", "how sure"),
        ("ensemble", {}, "", "how the answers become one"),
        ("ensemble", {"thresholds": (0.9,)}, "", "threshold is a matter of cascades"),
        ("ensemble", {"vote": "label", "average": "probabilities"}, "", "how the answers become one"),
        ("ensemble", {"vote": "label"}, "accuracy>=90%", "labelled rows"),
        ("sequence", {}, "", "takes an input 'input'"),
    ),
)
def test_what_does_not_fit_is_refused(
    digits: Path, tmp_path: Path, kind: Any, rule: dict[str, Any], slo: str, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        modeldyno.combine(
            kind,
            [digits / "small.bundle", digits / "big.bundle"],
            out=tmp_path / "none",
            rule=modeldyno.JoinRule(**rule),
            slo=slo,
        )
    assert reason in f"{caught.value.what} {caught.value.why}"
    assert not (tmp_path / "none").exists()


def test_models_of_other_classes_do_not_answer_for_one_another(digits: Path, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    rows, labels = rows_of(digits)
    other = LogisticRegression(max_iter=1000).fit(rows, (labels + 1) % 11)
    write_scikit_bundle(tmp_path / "other.bundle", other)
    with pytest.raises(UsageError, match="different classes"):
        modeldyno.combine(
            "ensemble",
            [digits / "small.bundle", tmp_path / "other.bundle"],
            out=tmp_path / "none",
            rule=modeldyno.JoinRule(vote="label"),
        )


def test_operations_alone_are_no_pipeline_and_no_member(digits: Path, tmp_path: Path) -> None:
    write_record(tmp_path / "steps.json", Processing(operations=()))
    with pytest.raises(UsageError, match="no model to combine"):
        modeldyno.combine("sequence", [tmp_path / "steps.json"], out=tmp_path / "none")
    with pytest.raises(UsageError, match="holds operations"):
        modeldyno.combine(
            "ensemble",
            [tmp_path / "steps.json", digits / "big.bundle"],
            out=tmp_path / "none",
            rule=modeldyno.JoinRule(vote="label"),
        )


def test_a_file_of_operations_is_checked_when_it_is_read(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "steps.json").write_text('{"node": "processing", "operations": [{"op": "run", "code": "1"}]}')
    with pytest.raises(InputError, match="not a valid processing record") as caught:
        modeldyno.combine("sequence", [digits / "big.bundle", tmp_path / "steps.json"], out=tmp_path / "none")
    assert "scale, select" in caught.value.hint


def test_objectives_of_speed_are_not_for_it(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(ObjectiveError, match="cannot judge"):
        modeldyno.combine(
            "cascade",
            [digits / "small.bundle", digits / "big.bundle"],
            out=tmp_path / "none",
            slo="p99<20ms",
            data=digits / "digits.npz",
        )


def test_a_sequence_begins_with_the_samples_of_its_first_bundle(tmp_path: Path) -> None:
    from modeldyno.deployment.pipeline_bundle import samples_of

    bundles = [write_echo_bundle(tmp_path / f"{name}.bundle", name=name, factor=3) for name in ("first", "second")]
    combination = modeldyno.combine("sequence", bundles, out=tmp_path / "nine")
    (sample,) = samples_of(tmp_path / "nine", combination.pipeline).samples
    assert ({"x": [[1, 2]]}, {"y": [[9, 18]]}) == (sample.inputs, sample.outputs)


def test_which_stage_answered_is_not_taken_for_the_answer(digits: Path, tmp_path: Path) -> None:
    write_record(tmp_path / "scores.json", Processing(operations=(Select(tensors=("probabilities",)),)))
    parts = []
    for name in ("small", "big"):
        bundle = digits / f"{name}.bundle"
        modeldyno.combine("sequence", [bundle, tmp_path / "scores.json"], out=tmp_path / name)
        parts.append(tmp_path / name)
    rule = modeldyno.JoinRule(thresholds=(0.5,))
    combination = modeldyno.combine("cascade", parts, out=tmp_path / "both", rule=rule, data=digits / "digits.npz")
    assert ["probabilities", "cascade_stage"] == [one.name for one in combination.pipeline.signature.outputs]
    evaluation = modeldyno.evaluate(tmp_path / "both", data=digits / "digits.npz")
    assert combination.quality is not None
    assert evaluation.quality is not None
    assert combination.quality.metrics["accuracy"].value == evaluation.quality.metrics["accuracy"].value
    assert evaluation.quality.metrics["accuracy"].value > 0.5


@pytest.mark.parametrize(
    ("threshold", "words"), ((2.0, "every row goes on"), (0.0, "no row goes on"), (-0.5, "no row"))
)
@pytest.mark.parametrize("data", (None, "digits.npz"))
def test_a_threshold_beyond_all_probabilities_is_refused(
    digits: Path, tmp_path: Path, threshold: float, words: str, data: str | None
) -> None:
    with pytest.raises(UsageError, match=f"a threshold of {threshold:g} {words}"):
        modeldyno.combine(
            "cascade",
            [digits / "small.bundle", digits / "big.bundle"],
            out=tmp_path / "out",
            rule=modeldyno.JoinRule(thresholds=(threshold,)),
            data=None if data is None else digits / data,
        )
    assert not (tmp_path / "out").exists()


def test_scores_without_bounds_may_have_any_threshold(digits: Path, tmp_path: Path) -> None:
    logits = tmp_path / "logits.json"
    write_record(logits, Processing(operations=(Scale(tensor="probabilities", multiply=(20.0,)),)))
    for name in ("small", "big"):
        modeldyno.combine("sequence", [digits / f"{name}.bundle", logits], out=tmp_path / name)
    combined = modeldyno.combine(
        "cascade",
        [tmp_path / "small", tmp_path / "big"],
        out=tmp_path / "out",
        rule=modeldyno.JoinRule(thresholds=(9.0,)),
    )
    assert combined.out is not None


@pytest.mark.parametrize(
    ("options", "words"),
    (
        (["cascade", "--threshold", "2"], "every row goes on"),
        (["cascade", "--threshold", "nan"], "'nan' is not a list of numbers"),
        (["cascade", "--threshold", "0.9,inf"], "'0.9,inf' is not a list of numbers"),
        (["cascade", "--threshold", ""], "'' is not a list of numbers"),
        (["cascade", "--threshold", "0.9,0.8"], "are not 1 finite numbers"),
        (["cascade", "--threshold", "0.9", "--confidence", "nope"], "output 'nope' does not tell"),
        (["cascade", "--threshold", "0.9", "--weights", "1,1"], "weights is a matter of ensembles"),
        (["ensemble", "--average", "nope"], "there is no average of 'nope'"),
        (["ensemble", "--average", "label"], "there is no average of 'label'"),
        (["ensemble", "--vote", "probabilities"], "there is no vote of 'probabilities'"),
        (["ensemble", "--average", "probabilities", "--weights", "-1,2"], "are not 2 numbers above 0"),
        (["ensemble", "--average", "probabilities", "--weights", "0,0"], "are not 2 numbers above 0"),
        (["ensemble", "--average", "probabilities", "--weights", "nan,1"], "'nan,1' is not a list of numbers"),
        (["ensemble", "--average", "probabilities", "--weights", "1"], "are not 2 numbers above 0"),
        (["ensemble", "--average", "probabilities", "--threshold", "0.5"], "an ensemble is combined"),
        (["ensemble", "--average", "probabilities", "--name", "a/b"], "'a/b' cannot be the name of a model"),
        (["ensemble", "--average", "probabilities", "--name", " "], "' ' cannot be the name of a model"),
        (["ensemble", "--average", "probabilities", "--label", "y"], "there are no data with a column 'y'"),
        (["ensemble", "--average", "probabilities", "--slo", "p99<2ms"], "combine cannot judge 'p99<2ms'"),
    ),
)
def test_an_option_that_cannot_be_is_an_error_of_use_and_writes_nothing(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    kind, *others = options
    bundles = [str(digits / "small.bundle"), str(digits / "big.bundle")]

    assert 2 == main(["combine", kind, *bundles, *others, "--out", str(tmp_path / "out")])
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
