"""The server's side in words, where they depend on what could be seen."""

import pytest
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.model_statistics import Executions, ModelActivity
from modeldyno.records.observation import GpuUse
from modeldyno.records.run import ResponseSplit
from modeldyno.reports.server import (
    activity_facts,
    floor_text,
    format_energy,
    gpu_facts,
    server_facts,
    split_source_text,
)

SILENT = ResponseSplit(
    response_ns=100.0,
    client_wait_ns=10.0,
    transmission_ns=None,
    server_queue_ns=None,
    preprocessing_ns=None,
    inference_ns=None,
    postprocessing_ns=None,
    unaccounted_ns=90.0,
)


def gpu(index: int, *, has_server: bool | None, peak: float | None) -> GpuUse:
    one = replace(samples.GPU.gpu, index=index, has_server=has_server)
    return replace(samples.GPU, gpu=one, utilisation_peak=peak)


def facts(activity: ModelActivity) -> dict[str, str]:
    return dict(activity_facts(activity))


def test_only_the_gpus_of_the_server_are_told() -> None:
    uses = (gpu(0, has_server=False, peak=1.0), gpu(1, has_server=True, peak=0.0))
    assert ["GPU 1"] == [name for name, _ in gpu_facts(uses)]


def test_where_the_server_cannot_be_seen_the_gpus_at_work_are_told_and_that_it_cannot() -> None:
    uses = (gpu(0, has_server=None, peak=0.4), gpu(1, has_server=False, peak=0.0), gpu(2, has_server=None, peak=None))
    ((name, text),) = gpu_facts(uses)
    assert "GPU 0" == name
    assert text.endswith("whose work it did cannot be seen")


def test_a_gpu_that_tells_little_is_told_of_little() -> None:
    untold = ("utilisation", "memory_peak_bytes", "power_watts", "energy_joules", "energy_joules_per_request")
    use = replace(samples.GPU, **dict.fromkeys(untold))
    assert [("GPU 0", "NVIDIA H200; the server is on it")] == gpu_facts([use])


@pytest.mark.parametrize(
    ("joules", "text"), ((1420.0, "1,420 J"), (0.142, "142 mJ"), (0.000042, "42.0 µJ"), (0.0, "0 µJ"))
)
def test_energy_has_the_unit_that_reads_best(joules: float, text: str) -> None:
    assert text == format_energy(joules)


def test_without_rapl_there_is_no_energy() -> None:
    without = replace(samples.SERVER, energy_joules=None, energy_joules_per_request=None)
    assert "energy" not in dict(server_facts(without))
    assert dict(server_facts(samples.SERVER))["energy"].startswith("1,420 J, 142 mJ a request")


def test_the_sizes_executed_most_often_are_told_in_order_and_the_others_counted() -> None:
    many = tuple(Executions(rows=rows, executions=100 - rows) for rows in range(1, 10))
    told = facts(replace(samples.ACTIVITY, batches=many))["sizes"]
    assert told.startswith("1 row 99 times, 2 rows 98 times")
    assert told.endswith("and 3 other sizes")
    assert "sizes" not in facts(replace(samples.ACTIVITY, batches=many[:1]))


def test_what_the_server_does_not_count_is_left_out() -> None:
    empty = replace(
        samples.ACTIVITY, rows_per_execution=None, total_ns=None, cache_misses=0, batches=(), has_warmup=True
    )
    assert {"answered", "counted"} == facts(empty).keys()
    assert "some of the warm-up included" in facts(empty)["counted"]


def test_the_source_of_the_split_is_told() -> None:
    assert "the server says nothing of its times" in split_source_text(SILENT)
    assert "its own statistics" in split_source_text(replace(SILENT, source="triton statistics"))
    assert "Server-Timing" in split_source_text(replace(SILENT, source="server-timing"))
    assert "" == split_source_text(replace(SILENT, inference_ns=5.0)), "a run from before the source was kept"


def test_a_floor_at_which_no_rate_was_sent_on_time_says_so() -> None:
    assert "sends on time up to 11,000/s" in floor_text(samples.floor())
    assert floor_text(replace(samples.floor(), highest_rate_per_s=0.0)).endswith("; no rate was sent on time")
