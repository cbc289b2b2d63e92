import numpy as np
import pytest

from modeldyno.records.observation import (
    GPU_DTYPE,
    OBSERVATION_DTYPE,
    Gpu,
    MetricSample,
    ObservedProcess,
    ServerUse,
)
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.stats.observation import (
    MOST_CHANGES,
    cores_over_time,
    measured_window,
    metric_changes,
    summarise_gpus,
    summarise_server,
)

S = 1_000_000_000


def requests(*, first_s: int = 2, last_s: int = 12, count: int = 100) -> np.ndarray:
    """Measured from `first_s` to `last_s`, after a warm-up from 0."""
    rows = empty_requests(count + 10)
    rows["planned_ns"][:10] = np.arange(10) * S // 10
    rows["planned_ns"][10:] = np.linspace(first_s * S, last_s * S, count).astype(np.int64)
    rows["sent_ns"], rows["done_ns"] = rows["planned_ns"], rows["planned_ns"]
    rows["outcome"] = Outcome.OK
    rows["measured"][10:] = True
    return rows


def observations(every_ns: int = S // 5) -> np.ndarray:
    """Half a core from -1 s to 15 s, two from 6 s to 8 s; 100 voluntary switches a second; no quota; 30 W."""
    moments = np.arange(-S, 15 * S + 1, every_ns)
    rows = np.zeros(len(moments), OBSERVATION_DTYPE)
    rows["moment_ns"] = moments
    rows["cpu_ns"] = (moments + S) // 2 + np.clip(moments - 6 * S, 0, 2 * S) * 3 // 2
    rows["voluntary_switches"] = (moments + S) // (S // 100)
    rows["resident_bytes"], rows["threads"], rows["cost_ns"] = 50_000_000, 4, 300_000
    rows["resident_bytes"][moments == 10 * S] = 70_000_000
    rows["throttled_ns"] = rows["throttled_periods"] = -1
    rows["energy_uj"] = (moments + S) // 1000 * 30
    return rows


def summarised(seen: np.ndarray, rows: np.ndarray) -> ServerUse:
    use = summarise_server(seen, rows, processes=(ObservedProcess(pid=1, name="server"),), found_by="port")
    assert use is not None
    return use


def test_the_use_of_a_known_server_is_told() -> None:
    use = summarised(observations(), requests())
    assert pytest.approx((10 * 0.5 + 2 * 1.5) / 10) == use.cpu_cores
    assert pytest.approx(2.0) == use.cpu_cores_peak
    assert pytest.approx(8 * S / 100) == use.cpu_ns_per_request
    assert pytest.approx(100) == use.voluntary_switches_per_s
    assert 0 == use.involuntary_switches_per_s
    assert pytest.approx((300, 3)) == (use.energy_joules, use.energy_joules_per_request)
    assert (70_000_000, 4, 300_000) == (use.resident_peak_bytes, use.threads_peak, use.sample_cost_ns)
    assert (None, None) == (use.throttled_ns, use.throttled_periods)


def test_the_warm_up_is_left_out() -> None:
    seen = observations()
    seen["cpu_ns"] += np.clip(seen["moment_ns"], 0, S) * 5
    assert pytest.approx(0.8) == summarised(seen, requests()).cpu_cores


def test_sparse_samples_are_interpolated_to_the_ends_of_the_phase() -> None:
    assert pytest.approx(0.5) == summarised(observations(7 * S), requests(first_s=1, last_s=3)).cpu_cores


def test_throttling_is_told_when_it_can_be_read() -> None:
    seen = observations()
    seen["throttled_ns"] = np.clip(seen["moment_ns"] - 5 * S, 0, S)
    seen["throttled_periods"] = seen["throttled_ns"] // (S // 10)
    use = summarised(seen, requests())
    assert (S, 10) == (use.throttled_ns, use.throttled_periods)


def test_without_answers_there_is_no_cost_of_a_request() -> None:
    rows = requests()
    rows["outcome"] = Outcome.TIMEOUT
    assert summarised(observations(), rows).cpu_ns_per_request is None


def test_what_was_not_looked_at_has_no_use() -> None:
    nothing = requests()
    nothing["measured"] = False
    assert measured_window(nothing) is None
    for seen, rows in ((observations(), nothing), (observations()[:1], requests()), (observations()[:4], requests())):
        assert summarise_server(seen, rows, processes=(), found_by="pid") is None


def test_processors_over_time_lie_between_the_samples() -> None:
    points = cores_over_time(observations())
    assert pytest.approx((-0.9 * S, 0.5)) == points[0]
    assert pytest.approx(2.0) == max(value for _, value in points)


GPUS = tuple(Gpu(index=index, name="H200", memory_bytes=None, has_server=None) for index in range(2))


def gpu_samples() -> np.ndarray:
    """A first GPU at 300 W, half busy until 6 s and fully from then on; a second one that tells nothing."""
    moments = np.arange(-S, 15 * S + 1, S // 5)
    first, second = np.zeros(len(moments), GPU_DTYPE), np.zeros(len(moments), GPU_DTYPE)
    first["moment_ns"] = second["moment_ns"] = moments
    first["utilisation"] = np.where(moments < 7 * S, 0.5, 1.0)
    first["memory_bytes"] = 10**9 + (moments == 10 * S) * 10**9
    first["power_mw"] = 280_000
    first["energy_mj"] = 5 * 10**9 + moments // 10**6 * 300
    second["gpu"] = 1
    for name in ("utilisation", "memory_bytes", "power_mw", "energy_mj"):
        second[name] = -1
    return np.concatenate((first, second))


def test_the_use_of_a_known_gpu_is_told_and_a_silent_one_tells_nothing() -> None:
    first, second = summarise_gpus(gpu_samples(), requests(), GPUS)
    assert pytest.approx((51, 0.75, 1.0), abs=0.01) == (first.samples, first.utilisation, first.utilisation_peak)
    assert pytest.approx((2 * 10**9, 300)) == (first.memory_peak_bytes, first.power_watts)
    assert pytest.approx((3_000, 30)) == (first.energy_joules, first.energy_joules_per_request)
    assert {None} == {
        second.utilisation,
        second.utilisation_peak,
        second.memory_peak_bytes,
        second.power_watts,
        second.energy_joules,
        second.energy_joules_per_request,
    }


def test_a_gpu_without_a_counter_of_energy_has_the_power_of_its_samples() -> None:
    seen = gpu_samples()
    seen["energy_mj"] = -1
    (first, _) = summarise_gpus(seen, requests(), GPUS)
    assert pytest.approx(280) == first.power_watts
    assert first.energy_joules is None


def test_gpus_that_were_not_looked_at_during_the_measured_phase_are_left_out() -> None:
    assert () == summarise_gpus(gpu_samples()[:0], requests(), GPUS)
    assert () == summarise_gpus(gpu_samples(), requests(), ())


def series(name: str, *values: float, kind: str = "counter", labels: str = "") -> list[MetricSample]:
    return [MetricSample(at * S, name, labels, value, kind) for at, value in enumerate(values)]


def test_a_counter_grows_by_its_difference_over_the_measured_phase() -> None:
    samples = series("requests_total", 0, 100, 110, 120, 130, 900)
    (change,) = metric_changes(samples, (S, 4 * S))
    assert pytest.approx(10) == change.per_s


def test_gauges_buckets_resets_and_what_stood_still_are_left_out() -> None:
    samples = [
        *series("queue", 1, 5, kind="gauge"),
        *series("latency_bucket", 1, 5, kind="histogram"),
        *series("reset_total", 9, 1),
        *series("still_total", 3, 3),
        *series("once_total", 3),
        *series("latency_count", 0, 5, kind="histogram"),
    ]
    assert ["latency_count"] == [one.name for one in metric_changes(samples, (0, S))]


def test_the_most_telling_series_come_first_and_those_about_the_exporter_last() -> None:
    names = ["process_cpu_seconds_total", "other_total", "generation_tokens_total", "http_requests_total"]
    samples = [one for name in names for one in series(name, 0, 5)]
    assert names[::-1] == [one.name for one in metric_changes(samples, None)]
    many = [one for number in range(30) for one in series("requests_total", 0, number + 1, labels=f'{{n="{number}"}}')]
    assert MOST_CHANGES == len(metric_changes(many, None))
    assert '{n="29"}' == metric_changes(many, None)[0].labels
