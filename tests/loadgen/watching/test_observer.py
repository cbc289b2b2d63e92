import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modeldyno.clock import SystemClock
from modeldyno.errors import InputError
from modeldyno.loadgen.watching.observation_file import read_observations, write_metrics, write_observations
from modeldyno.loadgen.watching.observer import EVERY_NS, Counters, Observer
from modeldyno.loadgen.watching.rounds import Rounds
from modeldyno.loadgen.watching.server_usage import cpu_ns_by_process
from modeldyno.records.observation import OBSERVATION_DTYPE, MetricSample


def observer(*, counters: Counters | None = None) -> Observer:
    return Observer([os.getpid()], clock=SystemClock(), counters=counters)


def test_counts_begin_at_the_first_sample_and_grow_with_work() -> None:
    watching = observer()
    watching.sample()
    before = cpu_ns_by_process([os.getpid()])[os.getpid()]
    while cpu_ns_by_process([os.getpid()])[os.getpid()] < before + 20_000_000:
        np.ones(1_000).sum()
    watching.sample()
    first, last = watching.observations(0)
    assert (0, 0, 0) == (first["cpu_ns"], first["voluntary_switches"], first["involuntary_switches"])
    assert last["cpu_ns"] >= 20_000_000
    assert first["processes"] >= 1
    assert first["threads"] >= 1
    assert first["resident_bytes"] > 1_000_000
    assert first["cost_ns"] > 0


def test_moments_count_from_the_start_of_the_run() -> None:
    watching = observer()
    watching.sample()
    moment = int(watching.observations(0)["moment_ns"][0])
    assert -5 == watching.observations(moment + 5)["moment_ns"][0]


def test_a_process_that_ended_keeps_what_it_used() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        watching = Observer([child.pid], clock=SystemClock())
        watching.sample()
        child.communicate(b"\n")
        watching.sample()
    rows = watching.observations(0)
    assert [1, 0] == rows["processes"].tolist()
    assert rows["cpu_ns"][1] >= rows["cpu_ns"][0]


def test_throttling_counts_from_the_first_sample_in_both_versions_of_cgroups(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("usage_usec 9\nnr_periods 10\nnr_throttled 2\nthrottled_usec 500\n")
    old.write_text("nr_periods 10\nnr_throttled 1\nthrottled_time 7000\n")
    watching = observer(counters=Counters(throttling=(new, old)))
    watching.sample()
    new.write_text("usage_usec 9\nnr_periods 10\nnr_throttled 5\nthrottled_usec 800\n")
    old.write_text("nr_periods 10\nnr_throttled 2\nthrottled_time 8000\n")
    watching.sample()
    rows = watching.observations(0)
    assert [(0, 0), (301_000, 4)] == list(zip(rows["throttled_ns"], rows["throttled_periods"], strict=True))


def test_a_counter_of_energy_that_wraps_goes_on(tmp_path: Path) -> None:
    package = tmp_path / "energy_uj"
    watching = observer(counters=Counters(energy=((package, 1000),)))
    for value in ("900", "990", "40"):
        package.write_text(value)
        watching.sample()
    assert [0, 90, 140] == watching.observations(0)["energy_uj"].tolist()


def test_what_cannot_be_read_is_marked_and_not_zero() -> None:
    watching = observer()
    watching.sample()
    row = watching.observations(0)[0]
    assert (-1, -1, -1) == (row["throttled_ns"], row["throttled_periods"], row["energy_uj"])


def test_a_counter_that_disappears_ends_the_looking_with_a_reason(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    watching = observer(counters=Counters(throttling=(gone,)))
    with Rounds(watching.sample, name="observer", clock=SystemClock(), every_ns=EVERY_NS) as rounds:
        pass
    assert isinstance(rounds.problem, FileNotFoundError)


def test_observations_come_back_from_the_disk_as_they_were(tmp_path: Path) -> None:
    rows = np.zeros(3, OBSERVATION_DTYPE)
    for place, name in enumerate(OBSERVATION_DTYPE.names or ()):
        rows[name] = np.arange(3) + place
    write_observations(tmp_path, rows)
    kept = read_observations(tmp_path)
    assert kept is not None
    assert rows.tolist() == kept.tolist()


def test_nothing_seen_is_no_file(tmp_path: Path) -> None:
    write_observations(tmp_path, np.empty(0, OBSERVATION_DTYPE))
    write_metrics(tmp_path, [])
    assert [] == list(tmp_path.iterdir())
    assert read_observations(tmp_path) is None


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "observations.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="does not hold what was seen"):
        read_observations(tmp_path)


def test_every_sample_of_the_metrics_is_kept(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_metrics(tmp_path, [MetricSample(5, "a_total", '{x="1"}', 2.5, "counter")])
    assert [{"moment_ns": 5, "name": "a_total", "labels": '{x="1"}', "value": 2.5, "kind": "counter"}] == pq.read_table(
        tmp_path / "metrics.parquet"
    ).to_pylist()
