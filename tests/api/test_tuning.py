import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import modeldyno
from modeldyno.deployment.bundle import open_bundle, read_datasheet
from modeldyno.deployment.contents import Contents
from modeldyno.errors import DataError, OutputError
from modeldyno.loadgen.recorder import read_run
from modeldyno.records.files import read_record
from modeldyno.records.search import Search

Tuned = tuple[Search, Path]


def test_the_search_tries_the_original_the_conversion_and_the_compression(tuned: Tuned) -> None:
    search, _ = tuned
    # On a machine that is too busy for the budget nothing is compressed, and that is said.
    unmade = [one.name for one in search.refused if "share of the budget" in one.reason]
    assert ["original", "onnx-fp32", "onnx-int8-dynamic"] == [one.artifact.name for one in search.assessed] + unmade
    raced = {point.deployment.runtime for point in search.points}
    # On a machine that is too busy for the budget the last ones are not raced, and that is said.
    late = [one for one in search.refused if "the budget was spent" in one.reason]
    assert raced == ({"scikit-learn"} if late and "onnxruntime" not in raced else {"scikit-learn", "onnxruntime"})


def test_every_artifact_was_compared_with_the_original_on_the_same_rows(tuned: Tuned) -> None:
    search, _ = tuned
    assert {search.rows} == {one.change.rows for one in search.assessed if one.change is not None}
    others = len(search.assessed) - 1
    assert [None, *[(1, 3)] * others] == [
        one.artifact.parity.batch_sizes if one.artifact.parity is not None else None for one in search.assessed
    ]


def test_the_winner_was_proven_over_http_by_a_real_load(tuned: Tuned) -> None:
    search, out = tuned
    proof = next(one.proof for one in search.finalists if one.deployment == search.winner)
    assert proof.summary.answered == proof.summary.requests
    assert {} == proof.summary.failures
    assert proof.summary.split is not None
    assert proof.summary.split.inference_ns is not None
    assert proof.server_cpu_ns_per_request is not None
    (run_directory,) = [
        path for path in (out / "wine.tune" / "proofs").iterdir() if search.winner and _is_of(path, search)
    ]
    run, requests = read_run(run_directory)
    assert run.summary == proof.summary
    assert run.requested.requests + run.requested.warmup_requests == len(requests)


def _is_of(path: Path, search: Search) -> bool:
    winner = search.winner
    assert winner is not None
    return path.name.startswith(winner.artifact) and path.name.endswith(
        f"t{winner.session.threads}-i{winner.instances}-b{winner.batching.max_rows}"
    )


def test_the_speed_up_has_an_interval_and_its_reference(tuned: Tuned) -> None:
    search, _ = tuned
    assert search.speedup is not None
    assert search.speedup.ratio.low is not None
    assert ("original", 1) == (search.speedup.reference.deployment.artifact, search.speedup.reference.batch_rows)


def test_the_bundle_opens_and_holds_what_was_proven(tuned: Tuned) -> None:
    search, out = tuned
    bundle = open_bundle(out / "wine.bundle")
    sheet = read_datasheet(out / "wine.bundle")
    assert search.winner == bundle.deployment
    assert sheet is not None
    assert sheet.proof is not None
    assert search.model.digest == bundle.origin.digest
    assert 4 == len(Contents(out / "wine.bundle", bundle).samples().samples)


def test_the_stored_search_is_what_was_returned_and_the_page_is_rebuilt_from_it(tuned: Tuned, tmp_path: Path) -> None:
    search, out = tuned
    assert search == read_record(out / "wine.tune" / "search.json", Search)
    again = modeldyno.report(out / "wine.tune", out=tmp_path / "again.html")
    assert (out / "wine.html").read_bytes() == again.read_bytes()


def test_a_finished_bundle_is_not_overwritten(tuned: Tuned, wine: Path) -> None:
    _, out = tuned
    before = (out / "wine.bundle" / "bundle.json").read_bytes()
    with pytest.raises(OutputError, match="already holds a bundle"):
        modeldyno.tune(wine / "wine.skops", data=wine / "wine.npz", out=out)
    assert before == (out / "wine.bundle" / "bundle.json").read_bytes()


def test_without_data_a_quality_objective_is_refused_before_anything_is_written(wine: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        modeldyno.tune(wine / "wine.skops", slo="accuracy>=90%", out=tmp_path / "out")
    assert "--data" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_the_bundle_answers_like_the_original(tuned: Tuned, wine: Path) -> None:
    _, out = tuned
    evaluation = modeldyno.evaluate(out / "wine.bundle", data=wine / "wine.npz", reference=wine / "wine.skops")
    assert evaluation.change is not None
    assert evaluation.change.flip_rate.value <= 0.2


def test_ctrl_c_keeps_what_was_done_and_the_same_command_goes_on(wine: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "modeldyno", "tune", str(wine / "wine.skops"), "--data", str(wine / "wine.npz"),
        "--rate", "50", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    journal = tmp_path / "out" / "wine.tune" / "search.json"
    with subprocess.Popen(
        [*command, "--budget", "60s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        # Wait for the event, not for a time: the race has standings once the artifacts are assessed.
        while process.poll() is None and not _has_points(journal):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        shown, said = process.communicate(timeout=60)
    assert 130 == process.returncode, said
    assert "Traceback" not in said
    stopped = read_record(journal, Search)
    assert ("interrupted", True) == (stopped.state, stopped.winner is not None)
    assert "wine.bundle" in shown
    again = subprocess.run([*command, "--budget", "6s"], capture_output=True, text=True, check=False)
    assert again.returncode in (0, 4), again.stderr
    done = read_record(journal, Search)
    assert ("complete", True) == (done.state, done.resumed)
    assert stopped.assessed == done.assessed


def _has_points(journal: Path) -> bool:
    return journal.is_file() and bool(read_record(journal, Search).points)


def test_regression_goes_all_the_way_too(tmp_path: Path) -> None:
    import skops.io
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge

    data = load_diabetes()
    rows = data.data.astype(np.float32)
    skops.io.dump(Ridge().fit(rows[:300], data.target[:300]), tmp_path / "ridge.skops")
    np.savez(tmp_path / "d.npz", X=rows[300:], y=data.target[300:])
    search = modeldyno.tune(
        tmp_path / "ridge.skops",
        data=tmp_path / "d.npz",
        slo="mae_rise<=1, p50<1s",
        rate_per_s=50,
        budget_ns=5_000_000_000,
        out=tmp_path / "out",
    )
    assert "regression" == search.model.task
    assert search.winner is not None
    assert ["pass"] == [one.verdict for one in search.verdicts if one.objective == "mae_rise<=1"]
