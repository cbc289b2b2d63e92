"""What was counted, as values: of one process or of several, of one life of a process or of several."""

from collections.abc import Iterable
from functools import reduce
from typing import Literal, get_args

import msgspec

from modeldyno.records.model_statistics import BatchCount, CountedTime, ModelStatistics
from modeldyno.server.metrics.histogram import Histogram

Outcome = Literal["answered", "failed", "cancelled", "expired", "lost"]
"""What an accepted request ends in; see `modeldyno.records.server.ServerAccount`."""
Stage = Literal[
    "parse", "cache", "preprocess", "queue", "batch", "padding", "inference", "postprocess", "encode", "write"
]
"""The parts of an answered request; together they are all of it.

`parse`: from its first byte until it was decoded and admitted. `cache`: its answer was found there, and nothing of it
was computed. `preprocess`: a pipeline did what it declares before it asked a model. `queue`: until an instance took it,
or until an equal request was computed. `batch`: the part of that wait during which an instance was idle and it waited
for company, where the deployment allows a delay. `padding`: its batch was merged, and padded where that is configured.
`inference`: the batch was computed. `postprocess`: a pipeline did what it declares between its models and behind them.
`encode`: the batch was split and the answer encoded. `write`: the answer was given its head and handed to the socket.
What did not happen to a request, such as `cache`, `batch` and `padding`, and what only pipelines have, is not counted
for it.
"""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
STAGES: tuple[Stage, ...] = get_args(Stage)


class Distribution(msgspec.Struct, frozen=True):
    """What a `Histogram` holds; the bounds are in the code."""

    total: int
    counts: list[int]

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)


class Executions(msgspec.Struct, frozen=True):
    """The executed batches of one size, and their times in ns."""

    count: int
    input_ns: int
    infer_ns: int
    output_ns: int


class CacheTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What a cache of answers did."""

    hits: int = 0
    """Requests that were answered with what was computed for an equal one, before or at the same time."""
    hit_ns: int = 0
    """Finding those answers and encoding them."""
    misses: int = 0
    miss_ns: int = 0
    """Looking for an answer, and keeping it when it was computed."""
    saved_ns: int = 0
    """What the batches took in which the answers to the hits were computed."""
    parse_ns: int = 0
    """Of the hits, in the stage of that name."""
    encode_ns: int = 0
    """Of the hits, in the stage of that name."""
    shared_hits: int = 0
    """Of the hits, those that another server or process had computed; their followers left out."""
    shared_misses: int = 0
    shared_errors: int = 0
    """Looks that found out nothing: there was no connection, or no answer in time."""
    look_ns: int = 0
    """Looking for answers elsewhere, whatever was found."""
    shared: int = 0
    """Answers that were given to the store."""
    unshared: int = 0
    """Answers that could not be given to it."""


class ModelTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one version of a model."""

    accepted: int
    rows: int
    """Of answered requests, those left out that were not computed."""
    elements: int
    """Of the inputs of executed batches, padding among them."""
    padding_elements: int
    last_inference_ms: int
    """Since the epoch; 0 before the first."""
    queued: int
    """Requests that wait now."""
    refused: dict[int, int]
    """By HTTP status."""
    requests: dict[Outcome, Distribution]
    """From the first byte to the end, in ns."""
    stages: dict[Stage, Distribution]
    """Of answered requests, in ns."""
    batches: Distribution
    """Executed batches by their rows."""
    sizes: dict[int, Executions]
    """By rows, the first `MOST_SIZES` of them."""
    cache: CacheTotals = CacheTotals()

    @property
    def in_progress(self) -> int:
        """Accepted, and not ended."""
        return self.accepted - sum(one.count for one in self.requests.values())

    def settled(self) -> "ModelTotals":
        """The totals of a process that is gone: what it had accepted and not ended is lost, however long it took.

        No finite time is known of such a request, so that it is counted above all bounds and adds nothing to the sum.
        """
        lost = self.requests["lost"]
        ended = Distribution(lost.total, [*lost.counts[:-1], lost.counts[-1] + self.in_progress])
        return msgspec.structs.replace(self.past(), requests={**self.requests, "lost": ended})

    def past(self) -> "ModelTotals":
        """The same without what is true at one moment only."""
        return msgspec.structs.replace(self, queued=0)

    def statistics(self, name: str, version: str) -> ModelStatistics:
        """In the terms of Triton: reading, decoding and what a pipeline does before its models is `compute_input`.

        What it does behind them is `compute_output`, merging the batch is in `queue`.

        A write is in none of them, and neither are cancelled requests. Requests that were not computed count as
        successes and in `queue`.
        """
        stages = self.stages
        answered = self.requests["answered"].count
        input_ns = stages["parse"].total + stages["preprocess"].total
        infer_ns = stages["inference"].total
        output_ns = stages["postprocess"].total + stages["encode"].total
        queue_ns = sum(stages[stage].total for stage in ("queue", "batch", "padding"))
        cache, cache_ns = self.cache, stages["cache"].total
        computed = answered - cache.hits
        failures = [self.requests[outcome] for outcome in ("failed", "expired", "lost")]
        return ModelStatistics(
            name=name,
            version=version,
            last_inference_ms=self.last_inference_ms,
            inference_count=self.rows,
            execution_count=self.batches.count,
            success=CountedTime(count=answered, ns=queue_ns + cache_ns + input_ns + infer_ns + output_ns),
            fail=CountedTime(count=sum(one.count for one in failures), ns=sum(one.total for one in failures)),
            queue=CountedTime(count=answered, ns=queue_ns),
            compute_input=CountedTime(count=computed, ns=input_ns - cache.parse_ns),
            compute_infer=CountedTime(count=computed, ns=infer_ns),
            compute_output=CountedTime(count=computed, ns=output_ns - cache.encode_ns),
            cache_hit=CountedTime(count=cache.hits, ns=cache.hit_ns),
            cache_miss=CountedTime(count=cache.misses, ns=cache.miss_ns),
            cache_saved_ns=cache.saved_ns,
            batches=tuple(_batch(rows, size) for rows, size in sorted(self.sizes.items())),
        )


class ProcessTotals(msgspec.Struct, frozen=True):
    """What a process used; see proc(5)."""

    cpu_ns: int = 0
    """User and system time of all its threads."""
    resident_bytes: int = 0
    open_files: int = 0

    def past(self) -> "ProcessTotals":
        """The same without what is true at one moment only."""
        return ProcessTotals(self.cpu_ns)


def take(histogram: Histogram) -> Distribution:
    """What the histogram holds now."""
    return Distribution(histogram.total, histogram.counts.copy())


def add_models(totals: Iterable[ModelTotals]) -> ModelTotals:
    """The sum; at least one is needed."""
    return reduce(_add_two, totals)


def add_processes(totals: Iterable[ProcessTotals]) -> ProcessTotals:
    """The sum."""
    listed = list(totals)
    return ProcessTotals(
        sum(one.cpu_ns for one in listed),
        sum(one.resident_bytes for one in listed),
        sum(one.open_files for one in listed),
    )


def _add_two(one: ModelTotals, other: ModelTotals) -> ModelTotals:
    return ModelTotals(
        accepted=one.accepted + other.accepted,
        rows=one.rows + other.rows,
        elements=one.elements + other.elements,
        padding_elements=one.padding_elements + other.padding_elements,
        last_inference_ms=max(one.last_inference_ms, other.last_inference_ms),
        queued=one.queued + other.queued,
        refused={
            status: one.refused.get(status, 0) + other.refused.get(status, 0)
            for status in sorted(one.refused.keys() | other.refused.keys())
        },
        requests={name: _add_distributions(one.requests[name], other.requests[name]) for name in OUTCOMES},
        stages={name: _add_distributions(one.stages[name], other.stages[name]) for name in STAGES},
        batches=_add_distributions(one.batches, other.batches),
        sizes={
            rows: _add_executions(one.sizes.get(rows, _NONE), other.sizes.get(rows, _NONE))
            for rows in one.sizes.keys() | other.sizes.keys()
        },
        cache=CacheTotals(
            **{name: getattr(one.cache, name) + getattr(other.cache, name) for name in CacheTotals.__struct_fields__}
        ),
    )


def _add_distributions(one: Distribution, other: Distribution) -> Distribution:
    return Distribution(one.total + other.total, [a + b for a, b in zip(one.counts, other.counts, strict=True)])


def _add_executions(one: Executions, other: Executions) -> Executions:
    return Executions(
        one.count + other.count,
        one.input_ns + other.input_ns,
        one.infer_ns + other.infer_ns,
        one.output_ns + other.output_ns,
    )


_NONE = Executions(0, 0, 0, 0)


def _batch(rows: int, size: Executions) -> BatchCount:
    return BatchCount(
        rows=rows,
        compute_input=CountedTime(count=size.count, ns=size.input_ns),
        compute_infer=CountedTime(count=size.count, ns=size.infer_ns),
        compute_output=CountedTime(count=size.count, ns=size.output_ns),
    )
