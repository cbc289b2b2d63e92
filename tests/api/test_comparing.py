from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.api.comparing import compare
from modeldyno.api.load import turns
from modeldyno.api.load.questions import v2
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.turns import BlockPlan, block_order
from modeldyno.api.load.workloads import Shape
from modeldyno.api.reporting import COMPARISON, report
from modeldyno.cli.main import main
from modeldyno.errors import InputError, OutputError, UsageError
from modeldyno.loadgen.recorder import finish_run, read_run
from modeldyno.records.answers import NO_WRONG_ANSWER
from modeldyno.records.comparison import Comparison
from modeldyno.records.files import read_record
from modeldyno.records.run import Run
from modeldyno.records.search import Search
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict
from modeldyno.records.workload import Workload
from modeldyno.stats.comparison import Terms
from modeldyno.testing.known_servers import Behaviour, known_server

ROWS = samples.requests(count=4_000, warmup=100)
VALID = MeasurementVerdict(measurement="valid", reasons=())
INVALID = MeasurementVerdict(measurement="invalid", reasons=("the client was late", "the backlog grew"))


def stored(folder: Path, name: str, rows: np.ndarray = ROWS, **changes: object) -> Path:
    run: Run = replace(samples.run(rows), verdict=VALID, **changes)
    (folder / name).mkdir()
    finish_run(folder / name, run, rows)
    return folder / name


def slower(factor: float) -> np.ndarray:
    rows = ROWS.copy()
    rows["done_ns"] = rows["planned_ns"] + (rows["done_ns"] - rows["planned_ns"]) * factor
    return rows


def test_a_run_against_itself_is_no_regression(tmp_path: Path) -> None:
    a, b = stored(tmp_path, "a.run"), stored(tmp_path, "b.run")
    found, directory = compare(a, b, terms=Terms(metrics=("p50", "throughput"), max_regression=0.5))
    assert directory is None
    assert ["valid", "pass", "stored_runs", 1] == [found.measurement, found.regression, found.method, found.blocks]
    assert () == found.differences
    assert 4_000 == found.a.requests
    assert "did not take turns" in found.notes[0]


def test_a_side_that_gave_wrong_answers_is_not_compared(tmp_path: Path) -> None:
    wrong = ObjectiveVerdict(objective=NO_WRONG_ANSWER, verdict="fail", measured=None, evidence="3 of 9 are wrong")
    a, b = stored(tmp_path, "a.run"), stored(tmp_path, "b.run")
    c = stored(tmp_path, "c.run")
    run, rows = read_run(c)
    finish_run(c, replace(run, verdict=replace(VALID, objectives=(wrong,))), rows)

    found, _ = compare(a, c, terms=Terms(metrics=("p50",)))

    assert () == compare(a, b, terms=Terms(metrics=("p50",)))[0].reasons
    assert ("invalid", ("B gave wrong answers: 3 of 9 are wrong",)) == (found.measurement, found.reasons)


def test_a_run_twice_as_slow_exits_3_and_a_faster_one_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = stored(tmp_path, "a.run"), stored(tmp_path, "b.run", slower(2))
    junit, page = tmp_path / "compare.xml", tmp_path / "compare.html"
    assert 3 == main(["compare", str(a), str(b), "--metric", "p50", "--junit", str(junit), "--report", str(page)])
    assert "FAIL       B is worse than allowed" in capsys.readouterr().out
    assert b"<failure" in junit.read_bytes()
    assert "B is worse than allowed" in page.read_text()
    assert 0 == main(["compare", str(b), str(a), "--metric", "p50"])
    assert "B is better" in capsys.readouterr().out


def test_an_invalid_run_cannot_tell_although_its_numbers_are_clear(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = stored(tmp_path, "a.run"), stored(tmp_path, "b.run", slower(2))
    run, requests = read_run(b)
    finish_run(b, replace(run, verdict=INVALID), requests)
    assert 4 == main(["compare", str(a), str(b), "--metric", "p50"])
    said = " ".join(capsys.readouterr().out.split())
    assert "The run of B is not valid: the client was late. The backlog grew." in said
    assert "INVALID: 1 of 1 run" in said


def test_another_rate_is_named_first_and_forbids_a_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = stored(tmp_path, "a.run")
    b = stored(tmp_path, "b.run", requested=replace(samples.run().requested, rate_per_s=900.0, url="http://other"))
    assert 4 == main(["compare", str(a), str(b), "--metric", "p50"])
    lines = capsys.readouterr().out.splitlines()
    assert "differ in" == lines[0]
    assert ["rate", "per", "s", "(not", "comparable)", "500", "900"] == lines[2].split()


def test_other_libraries_are_named_and_forbid_nothing(tmp_path: Path) -> None:
    newer = replace(samples.ENVIRONMENT, libraries={**samples.ENVIRONMENT.libraries, "onnxruntime": "9.9.9"})
    a, b = stored(tmp_path, "a.run"), stored(tmp_path, "b.run", environment=newer)
    found, _ = compare(a, b, terms=Terms(metrics=("p50",)))
    assert [("libraries.onnxruntime", "9.9.9", False)] == [
        (one.name, one.b, one.forbids_verdict) for one in found.differences
    ]
    assert "valid" == found.measurement


def test_a_run_that_never_finished_is_refused(tmp_path: Path) -> None:
    a, b = stored(tmp_path, "a.run"), stored(tmp_path, "b.run")
    run, requests = read_run(b)
    finish_run(b, replace(run, verdict=None, summary=None, state="running"), requests)
    with pytest.raises(InputError, match="never finished"):
        compare(a, b)


@pytest.mark.parametrize(
    ("sources", "words"),
    (
        (("{}/a.run", "absent"), "absent does not exist"),
        (("{}/a.run", "{}"), "no run and no bundle"),
        (("{}/a.run", "http://127.0.0.1:9"), "cannot be compared with a live target"),
        (("http://127.0.0.1:9", "http://127.0.0.1:9"), "--rate"),
        (("{}/a.run", "{}/a.run", "--metric", "p98"), "p98"),
        (("{}/a.run", "{}/a.run", "--margin", "20%"), "margin"),
        (("http://127.0.0.1:9", "http://127.0.0.1:9", "--rate", "5", "--blocks", "3"), "3 blocks"),
        (("http://127.0.0.1:9", "http://127.0.0.1:9", "--rate", "100"), "--duration 40s"),
    ),
)
def test_wrong_input_exits_2_and_says_why(
    sources: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path, "a.run")
    assert 2 == main(["compare", *(source.format(tmp_path) for source in sources)])
    said = capsys.readouterr()
    assert words in said.err
    assert "" == said.out


def test_an_unreachable_target_exits_5(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    urls = ["http://127.0.0.1:9"] * 2
    assert 5 == main(["compare", *urls, "--rate", "500", "--model", "m", "--out", str(tmp_path / "x.compare")])
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep me")
    with pytest.raises(OutputError, match="not empty"):
        compare("http://127.0.0.1:9", "http://127.0.0.1:9", plan=BlockPlan(rate_per_s=500), out=tmp_path)


class Rehearsal:
    """Stands in for the load of a block: a run at once, with what each block should say of itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loads: list[tuple[str, int]] = []
        self.invalid: set[int] = set()
        self.stop_at = -1
        monkeypatch.setattr(turns, "measure", self.measure)
        monkeypatch.setattr(v2, "model_signature", lambda *_: samples.SIGNATURE)

    def measure(self, workload: Workload, *_: object, **__: object) -> tuple[Run, np.ndarray]:
        number = len(self.loads)
        self.loads.append((workload.url, workload.seed))
        run = replace(
            samples.run(ROWS),
            requested=workload,
            state="interrupted" if number == self.stop_at else "complete",
            verdict=INVALID if number in self.invalid else VALID,
        )
        return run, ROWS

    def compare(self, out: Path, blocks: int = 8) -> Comparison:
        plan = BlockPlan(rate_per_s=500, blocks=blocks, ask=Ask(model="m"))
        return compare("http://a", "http://b", plan=plan, terms=Terms(metrics=("p50",)), out=out)[0]


@pytest.fixture
def rehearsal(monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    return Rehearsal(monkeypatch)


def test_each_target_gets_its_turn_with_the_arrivals_of_the_other(rehearsal: Rehearsal, tmp_path: Path) -> None:
    found = rehearsal.compare(tmp_path / "x.compare", blocks=5)
    assert "abbaabbaabba" == "".join(url[-1] for url, _ in rehearsal.loads)
    seeds = [seed for _, seed in rehearsal.loads]
    assert seeds[::2] == seeds[1::2]
    assert 6 == len(set(seeds))
    assert [5, "complete", "valid", "equal"] == [found.blocks, found.state, found.measurement, found.metrics[0].change]


def test_a_single_invalid_block_is_noted_and_many_spoil_the_comparison(rehearsal: Rehearsal, tmp_path: Path) -> None:
    rehearsal.invalid = {2, 3}
    noted = rehearsal.compare(tmp_path / "x.compare")
    assert ["valid", "pass"] == [noted.measurement, noted.regression]
    assert "blocks of A that were not valid: 1 of 8, such as: the client was late. The backlog grew" == noted.notes[0]
    rehearsal.loads.clear()
    rehearsal.invalid = {2, 5, 6}  # the first, second and third counted block of B
    spoilt = rehearsal.compare(tmp_path / "y.compare")
    assert ["invalid", "cannot_tell"] == [spoilt.measurement, spoilt.regression]
    assert (
        "blocks of B that were not valid: 3 of 8, such as: the client was late. The backlog grew",
    ) == spoilt.reasons


def test_a_stopped_comparison_is_concluded_from_its_whole_turns(rehearsal: Rehearsal, tmp_path: Path) -> None:
    rehearsal.stop_at = 13
    found = rehearsal.compare(tmp_path / "x.compare")
    assert ["interrupted", 5, "stopped after 5 of 8 turns"] == [found.state, found.blocks, found.notes[0]]


def test_one_that_is_stopped_too_early_is_not_concluded(rehearsal: Rehearsal, tmp_path: Path) -> None:
    rehearsal.stop_at = 9
    with pytest.raises(KeyboardInterrupt):
        rehearsal.compare(tmp_path / "x.compare")
    assert not (tmp_path / "x.compare" / COMPARISON).exists()


def test_a_stopped_comparison_exits_130(
    rehearsal: Rehearsal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsal.stop_at = 13
    urls = ("http://a", "http://b", "--rate", "500", "--model", "m", "--out", str(tmp_path / "x.compare"))
    assert 130 == main(["compare", *urls])
    assert "stopped after 5 of 8 turns" in capsys.readouterr().out


def test_blocks_are_ordered_so_that_a_drift_weighs_on_both_alike() -> None:
    order = block_order(4)
    assert "ABBAABBA" == "".join("AB"[side] for _, side in order)
    assert [0, 0, 1, 1, 2, 2, 3, 3] == [turn for turn, _ in order]


@pytest.mark.slow
@pytest.mark.real_time
def test_a_bundle_against_itself_is_served_twice_and_loaded_in_turns(
    tuned: tuple[Search, Path], tmp_path: Path
) -> None:
    bundle = str(tuned[0].bundle)
    plan = BlockPlan(rate_per_s=400, blocks=4, shape=Shape(duration_ns=640_000_000, warmup_ns=50_000_000))
    found, directory = compare(bundle, bundle, terms=Terms(metrics=("p50",)), plan=plan, out=tmp_path / "same.compare")
    assert ["interleaved_blocks", 256, 256] == [found.method, found.a.requests, found.b.requests]
    assert ({}, {}, ()) == (found.a.failures, found.b.failures, found.differences)
    assert directory is not None
    assert (directory / "server-a.log").is_file()


def test_two_servers_take_turns_under_the_same_load(tmp_path: Path) -> None:
    plan = BlockPlan(
        rate_per_s=400, blocks=4, ask=Ask(model="known"), shape=Shape(duration_ns=640_000_000, warmup_ns=50_000_000)
    )
    fast, slow = Behaviour(delay_ns=1_000_000), Behaviour(delay_ns=30_000_000)
    with known_server(fast) as a, known_server(slow) as b:
        found, directory = compare(
            a.url, b.url, terms=Terms(metrics=("p50",)), plan=plan, out=tmp_path / "turns.compare"
        )
        # 5 blocks of 64 requests and 20 of warm-up each: the first pair warms up and is not counted.
        assert [420, 420] == [a.count_posts(), b.count_posts()]
    assert directory is not None
    metric = found.metrics[0]
    # None where the machine made too many of the few requests wait alike.
    assert metric.b is None or metric.b.value >= 30_000_000
    assert metric.ratio is None or metric.ratio.value > 1
    assert ["interleaved_blocks", 4, 256] == [found.method, found.blocks, found.b.requests]
    assert found == read_record(directory / COMPARISON, Comparison)
    _check_turns(directory)
    assert "B over A" in report(directory).read_text()


def _check_turns(directory: Path) -> None:
    runs = {path.name.removesuffix(".run"): read_run(path) for path in directory.glob("block-*.run")}
    assert 10 == len(runs)
    planned = {name: rows["planned_ns"].tolist() for name, (_, rows) in runs.items()}
    assert planned["block-01-a"] == planned["block-01-b"]
    assert planned["block-01-a"] != planned["block-02-a"]


def test_targets_that_take_different_inputs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signatures = iter((samples.SIGNATURE, replace(samples.SIGNATURE, inputs=samples.SIGNATURE.outputs)))
    monkeypatch.setattr(v2, "model_signature", lambda *_: next(signatures))
    with pytest.raises(UsageError, match="take different inputs"):
        compare(
            "http://127.0.0.1:9",
            "http://127.0.0.1:9",
            plan=BlockPlan(rate_per_s=500, ask=Ask(model="m")),
            out=tmp_path / "x",
        )
