"""The counts of a server as families of Prometheus.

Two vocabularies: Triton's names, for the dashboards that know them (docs/user_guide/metrics.md of
triton-inference-server/server), and our own in base units, with whole distributions. Both read the same counts.
"""

from collections.abc import Callable, Iterable, Mapping

from modeldyno.server.metrics.histogram import BATCH_BOUNDS_ROWS, REQUEST_BOUNDS_NS, STAGE_BOUNDS_NS
from modeldyno.server.metrics.slots import ModelKey
from modeldyno.server.metrics.totals import STAGES, CacheTotals, Distribution, ModelTotals, ProcessTotals, Stage
from modeldyno.wire.prometheus import Buckets, Family, Series

Models = Mapping[ModelKey, ModelTotals]
Labels = tuple[tuple[str, str], ...]

_REQUEST_BOUNDS_S = tuple(bound / 1e9 for bound in REQUEST_BOUNDS_NS)
_STAGE_BOUNDS_S = tuple(bound / 1e9 for bound in STAGE_BOUNDS_NS)
_OVERLOAD = (429, 503, 504)


def make_page(models: Models, process: ProcessTotals) -> list[Family]:
    """Everything that is told at `/metrics`."""
    return [*_triton(models), *_own(models), *_process(process)]


def _triton(models: Models) -> Iterable[Family]:
    for name, explanation, read in _TRITON_COUNTS:
        yield _counter(name, explanation, models, read)
        if name == "nv_inference_request_success":
            yield _failures(models)
    for name, explanation, stages in _TRITON_TIMES:
        yield _counter(name, explanation, models, _time_us(stages))
    waiting = [Series(_labels(key), one.queued) for key, one in models.items()]
    yield Family("nv_inference_pending_request_count", "gauge", "Inference requests that wait for an instance", waiting)


_TRITON_COUNTS: tuple[tuple[str, str, Callable[[ModelTotals], int]], ...] = (
    (
        "nv_inference_request_success",
        "Inference requests that were answered",
        lambda one: one.requests["answered"].count,
    ),
    ("nv_inference_count", "Rows of answered inference requests", lambda one: one.rows),
    ("nv_inference_exec_count", "Executed batches", lambda one: one.batches.count),
    ("nv_cache_num_hits_per_model", "Requests answered with what an equal one got", lambda one: one.cache.hits),
    ("nv_cache_num_misses_per_model", "Requests that the cache did not answer", lambda one: one.cache.misses),
    (
        "nv_cache_hit_duration_per_model",
        "Finding answers in the cache and encoding them, in µs",
        lambda one: one.cache.hit_ns // 1000,
    ),
    (
        "nv_cache_miss_duration_per_model",
        "Looking for answers in the cache and keeping computed ones, in µs",
        lambda one: one.cache.miss_ns // 1000,
    ),
)
_TRITON_TIMES: tuple[tuple[str, str, tuple[Stage, ...]], ...] = (
    (
        "nv_inference_request_duration_us",
        "Answered requests from the first byte until the answer was encoded, in all",
        tuple(stage for stage in STAGES if stage != "write"),
    ),
    (
        "nv_inference_queue_duration_us",
        "Waiting for an instance and for the batch, and merging it, in all",
        ("queue", "batch", "padding"),
    ),
    ("nv_inference_compute_input_duration_us", "Receiving and decoding, in all", ("parse", "preprocess")),
    ("nv_inference_compute_infer_duration_us", "Computing the batch a request was in, in all", ("inference",)),
    (
        "nv_inference_compute_output_duration_us",
        "Splitting the batch and encoding, in all",
        ("postprocess", "encode"),
    ),
)


def _time_us(stages: tuple[Stage, ...]) -> Callable[[ModelTotals], int]:
    return lambda one: sum(one.stages[stage].total for stage in stages) // 1000


def _failures(models: Models) -> Family:
    """Triton's reasons: REJECTED is what found no place or no time, BACKEND what the model is at fault of."""
    series = [
        Series((*_labels(key), ("reason", reason)), count)
        for key, one in models.items()
        for reason, count in (
            ("REJECTED", _refused(one, overload=True) + one.requests["expired"].count),
            ("CANCELED", one.requests["cancelled"].count),
            ("BACKEND", one.requests["failed"].count + one.requests["lost"].count),
            ("OTHER", _refused(one, overload=False)),
        )
    ]
    return Family("nv_inference_request_failure", "counter", "Inference requests that got no answer", series)


def _refused(one: ModelTotals, *, overload: bool) -> int:
    return sum(count for status, count in one.refused.items() if (status in _OVERLOAD) == overload)


def _own(models: Models) -> Iterable[Family]:
    yield Family(
        "modeldyno_request_duration_seconds",
        "histogram",
        "Accepted inference requests from the first byte read to the last handed to the socket, by what they ended in",
        [
            _seconds((*_labels(key), ("outcome", outcome)), _REQUEST_BOUNDS_S, times)
            for key, one in models.items()
            for outcome, times in one.requests.items()
        ],
    )
    yield Family(
        "modeldyno_stage_duration_seconds",
        "histogram",
        "The parts of answered inference requests",
        [
            _seconds((*_labels(key), ("stage", stage)), _STAGE_BOUNDS_S, times)
            for key, one in models.items()
            for stage, times in one.stages.items()
        ],
    )
    yield Family(
        "modeldyno_batch_rows",
        "histogram",
        "Rows of executed batches",
        [
            Buckets(_labels(key), BATCH_BOUNDS_ROWS, one.batches.counts, one.batches.total)
            for key, one in models.items()
        ],
    )
    for name, explanation, read in _OWN_COUNTS:
        yield _counter(name, explanation, models, read)
    for name, explanation, label, read_each in _SHARING:
        series = [
            Series((*_labels(key), (label, value)), count)
            for key, one in models.items()
            for value, count in read_each(one.cache).items()
        ]
        yield Family(name, "counter", explanation, series)
    refused = [
        Series((*_labels(key), ("status", str(status))), count)
        for key, one in models.items()
        for status, count in one.refused.items()
    ]
    yield Family(
        "modeldyno_requests_refused_total",
        "counter",
        "Inference requests that were not accepted, by HTTP status",
        refused,
    )
    progress = [Series(_labels(key), one.in_progress) for key, one in models.items()]
    yield Family("modeldyno_requests_in_progress", "gauge", "Requests that were accepted and have not ended", progress)


_OWN_COUNTS: tuple[tuple[str, str, Callable[[ModelTotals], float]], ...] = (
    (
        "modeldyno_cache_saved_seconds_total",
        "What the batches took in which the answers to the cache's hits were computed",
        lambda one: one.cache.saved_ns / 1e9,
    ),
    (
        "modeldyno_shared_cache_look_seconds_total",
        "Looking for answers in the cache that servers share",
        lambda one: one.cache.look_ns / 1e9,
    ),
    ("modeldyno_requests_accepted_total", "Inference requests that were admitted", lambda one: one.accepted),
    ("modeldyno_batch_elements_total", "Input elements computed, padding among them", lambda one: one.elements),
    ("modeldyno_padding_elements_total", "Input elements computed for nobody", lambda one: one.padding_elements),
)

_SHARING: tuple[tuple[str, str, str, Callable[[CacheTotals], Mapping[str, int]]], ...] = (
    (
        "modeldyno_shared_cache_looks_total",
        "Answers looked for in the cache that servers share, by what was found",
        "result",
        lambda cache: {"hit": cache.shared_hits, "miss": cache.shared_misses, "error": cache.shared_errors},
    ),
    (
        "modeldyno_shared_cache_writes_total",
        "Answers given to the cache that servers share",
        "result",
        lambda cache: {"kept": cache.shared, "error": cache.unshared},
    ),
)


def _process(process: ProcessTotals) -> Iterable[Family]:
    """The names that all of Prometheus's client libraries share; the sum of the server's processes."""
    cpu, memory, files = process.cpu_ns / 1e9, process.resident_bytes, process.open_files
    yield Family("process_cpu_seconds_total", "counter", "User and system time of the server", [Series((), cpu)])
    if memory:
        yield Family("process_resident_memory_bytes", "gauge", "Memory of the server", [Series((), memory)])
        yield Family("process_open_fds", "gauge", "Files and sockets of the server", [Series((), files)])


def _counter(name: str, explanation: str, models: Models, read: Callable[[ModelTotals], float]) -> Family:
    return Family(name, "counter", explanation, [Series(_labels(key), read(one)) for key, one in models.items()])


def _seconds(labels: Labels, bounds_s: tuple[float, ...], times: Distribution) -> Buckets:
    return Buckets(labels, bounds_s, times.counts, times.total / 1e9)


def _labels(key: ModelKey) -> Labels:
    name, version = key
    return (("model", name), ("version", version))
