"""What a server counts for a model, in the terms of the statistics extension of Triton's protocol.

Source of the terms: extension_statistics.md under docs/protocol of triton-inference-server/server.
"""

from typing import Literal

from modeldyno.records.base import Record


class CountedTime(Record, frozen=True, kw_only=True):
    """How often something happened, and how long it took in all."""

    count: int = 0
    ns: int = 0


class BatchCount(Record, frozen=True, kw_only=True):
    """The executions of one size."""

    rows: int
    """Rows in the batch: Triton's `batch_size`."""
    compute_input: CountedTime = CountedTime()
    compute_infer: CountedTime = CountedTime()
    """Its count is the number of executions of this size."""
    compute_output: CountedTime = CountedTime()


class ModelStatistics(Record, frozen=True, kw_only=True):
    """The counts of one version of a model since its server began.

    The times of a batch count in full for each of its requests: a time over its count is what one request saw.
    """

    name: str
    version: str = ""
    last_inference_ms: int = 0
    """Since the epoch; 0 before the first."""
    inference_count: int = 0
    """Rows of successful requests, answers from a cache left out."""
    execution_count: int = 0
    """Successful executions of a batch."""
    success: CountedTime = CountedTime()
    """From the request's begin to its answer."""
    fail: CountedTime = CountedTime()
    queue: CountedTime = CountedTime()
    compute_input: CountedTime = CountedTime()
    compute_infer: CountedTime = CountedTime()
    compute_output: CountedTime = CountedTime()
    cache_hit: CountedTime = CountedTime()
    """Requests answered with what was computed for an equal one; `queue` counts them too, the compute times do not."""
    cache_miss: CountedTime = CountedTime()
    """Requests that were computed where there is a cache; the time is that of looking and of keeping the answer."""
    cache_saved_ns: int = 0
    """What computing the hits would have taken; not of the protocol."""
    batches: tuple[BatchCount, ...] = ()


class Executions(Record, frozen=True, kw_only=True):
    """How many batches of one size were executed."""

    rows: int
    executions: int


class ModelActivity(Record, frozen=True, kw_only=True):
    """What a server counted for the model between two looks at its statistics; times are means per answered request.

    Everybody's requests count, not only ours: compare `answered` with what the run answered.
    """

    source: Literal["triton statistics"] = "triton statistics"
    from_ns: int
    """First look, since the run's planned start."""
    to_ns: int
    """Last look."""
    has_warmup: bool
    """Whether the first look was before the measured phase began, as in runs of about a second."""
    answered: int
    """Requests."""
    failed: int
    rows: int
    """Of the answered requests, those from a cache left out."""
    executions: int
    rows_per_execution: float | None
    """The mean batch formed; None when nothing was executed or the server does not count it."""
    total_ns: float | None
    """From a request's begin to its answer, as the server sees it; None when none was answered."""
    queue_ns: float | None
    compute_input_ns: float | None
    compute_infer_ns: float | None
    compute_output_ns: float | None
    cache_hits: int = 0
    cache_misses: int = 0
    batches: tuple[Executions, ...] = ()
    """By size; empty when the server does not tell."""
