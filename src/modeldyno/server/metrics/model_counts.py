"""What one served model did since the server began, for its statistics and its metrics."""

import struct
from collections.abc import Callable, Sequence

import numpy as np

from modeldyno.clock import Clock, epoch_ms
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.server.caching.shared import LOOKS, Look
from modeldyno.server.call import ServerTimes
from modeldyno.server.metrics.histogram import BATCH_BOUNDS_ROWS, REQUEST_BOUNDS_NS, STAGE_BOUNDS_NS, Histogram
from modeldyno.server.metrics.totals import (
    OUTCOMES,
    STAGES,
    CacheTotals,
    Executions,
    ModelTotals,
    Outcome,
    Stage,
    add_models,
    take,
)

MOST_SIZES = 1_000
"""Batch sizes told apart; a request may have any number of rows, and memory must not grow with what clients send."""

_TIMES = struct.Struct("=7q")
"""Of one answer: the fields of `ServerTimes`, and the write."""
_BLOCK_BYTES = 256 * _TIMES.size


class _Size:
    """The executions of one batch size."""

    __slots__ = ("executions", "infer_ns", "input_ns", "output_ns")

    def __init__(self) -> None:
        self.executions = self.input_ns = self.infer_ns = self.output_ns = 0


class ModelCounts:
    """Counts where it happens, on the server's loop; `totals` and `statistics` say what.

    Args:
        clock: of the server.
        elsewhere: what was counted of this model in other processes, and by this one's predecessor.
    """

    def __init__(self, clock: Clock, elsewhere: Callable[[], Sequence[ModelTotals]] = tuple) -> None:
        self._clock = clock
        self._elsewhere = elsewhere
        self._epoch_ns = epoch_ms(clock.wall_time()) * 1_000_000 - clock.now_ns()
        self.accepted = 0
        """Requests that were admitted."""
        self.count_queued: Callable[[], int] = int
        """Asked for how many requests wait now."""
        self._refused: dict[int, int] = {}
        self._rows = self._elements = self._padding_elements = self._last_ns = 0
        self._requests = {name: Histogram(REQUEST_BOUNDS_NS) for name in OUTCOMES}
        self._stages = {name: Histogram(STAGE_BOUNDS_NS) for name in STAGES}
        self._times = bytearray()
        """Of answers that are in no histogram yet: sorted into buckets by the block, they take a third of the time."""
        self._batches = Histogram(BATCH_BOUNDS_ROWS)
        self._sizes: dict[int, _Size] = {}
        self._hits = self._hit_ns = self._misses = self._miss_ns = self._saved_ns = 0
        self._hit_parse_ns = self._hit_encode_ns = 0
        self._looks: dict[Look, int] = dict.fromkeys(LOOKS, 0)
        self._look_ns = self._shared = self._unshared = 0

    def count_refusal(self, status: int) -> None:
        """A request was not accepted."""
        self._refused[status] = self._refused.get(status, 0) + 1

    def count_answer(self, times: ServerTimes, rows: int, write_ns: int = 0) -> None:
        """A request was answered, and handing the answer to its connection took `write_ns`."""
        self._rows += rows
        waiting = self._times
        waiting += _TIMES.pack(
            times.preprocess_ns,
            times.queue_ns,
            times.inference_ns,
            times.postprocess_ns,
            times.batch_ns,
            times.padding_ns,
            write_ns,
        )
        if len(waiting) >= _BLOCK_BYTES:
            self._count_times()

    def _count_times(self) -> None:
        """Put the times of the answers since the last call into the histograms."""
        parse, wait, inference, encode, batch, padding, write = np.frombuffer(self._times, np.int64).reshape(-1, 7).T
        stages = self._stages
        stages["parse"].observe_all(parse)
        stages["queue"].observe_all(wait - batch - padding)
        stages["batch"].observe_all(batch[batch != 0])
        stages["padding"].observe_all(padding[padding != 0])
        stages["inference"].observe_all(inference)
        stages["encode"].observe_all(encode)
        stages["write"].observe_all(write)
        self._requests["answered"].observe_all(parse + wait + inference + encode + write)
        self._times = bytearray()

    def count_journey(
        self, times: ServerTimes, rows: int, *, write_ns: int, preprocess_ns: int, postprocess_ns: int
    ) -> None:
        """A request was answered by a pipeline.

        Args:
            times: of the request.
            rows: of the request.
            write_ns: of handing the answer to its connection.
            preprocess_ns: of `times.preprocess_ns`, what the pipeline did before it asked a model.
            postprocess_ns: of `times.postprocess_ns`, what it did between its models and behind them.
        """
        self._rows += rows
        parts: tuple[tuple[Stage, int], ...] = (
            ("parse", times.preprocess_ns - preprocess_ns),
            ("preprocess", preprocess_ns),
            ("queue", times.queue_ns),
            ("inference", times.inference_ns),
            ("postprocess", postprocess_ns),
            ("encode", times.postprocess_ns - postprocess_ns),
            ("write", write_ns),
        )
        for stage, duration_ns in parts:
            self._stages[stage].observe(duration_ns)
        self._requests["answered"].observe(sum(duration_ns for _, duration_ns in parts))

    def count_hit(self, times: ServerTimes, write_ns: int, *, was_kept: bool, saved_ns: int) -> None:
        """A request was answered with what was computed for an equal one.

        Args:
            times: of the request.
            write_ns: of handing the answer to its connection.
            was_kept: whether the answer was in the cache; else its computation was waited for.
            saved_ns: what computing it once more would have taken.
        """
        parse_ns, wait_ns, encode_ns = times.preprocess_ns, times.queue_ns, times.postprocess_ns
        self._hits += 1
        self._hit_ns += encode_ns + (wait_ns if was_kept else 0)
        self._hit_parse_ns += parse_ns
        self._hit_encode_ns += encode_ns
        self._saved_ns += saved_ns
        stages = self._stages
        stages["parse"].observe(parse_ns)
        stages["cache" if was_kept else "queue"].observe(wait_ns)
        stages["encode"].observe(encode_ns)
        stages["write"].observe(write_ns)
        self._requests["answered"].observe(parse_ns + wait_ns + encode_ns + write_ns)

    def count_miss(self, cache_ns: int) -> None:
        """A request was admitted that the cache does not answer; looking took so long."""
        self._misses += 1
        self._miss_ns += cache_ns

    def count_keeping(self, cache_ns: int) -> None:
        """The answer to a miss was put into the cache, which took so long."""
        self._miss_ns += cache_ns

    def count_look(self, look: Look, ns: int) -> None:
        """An answer was looked for where several servers share them, which took so long."""
        self._looks[look] += 1
        self._look_ns += ns

    def count_sharing(self, *, is_kept: bool) -> None:
        """An answer was given to where several servers share them."""
        if is_kept:
            self._shared += 1
        else:
            self._unshared += 1

    def count_end(self, outcome: Outcome, started_ns: int) -> None:
        """A request that was accepted ended without an answer."""
        self._requests[outcome].observe(self._clock.now_ns() - started_ns)

    def count_batch(
        self,
        rows: int,
        *,
        input_ns: int,
        began_ns: int,
        ended_ns: int,
        elements: int = 0,
        padding_elements: int = 0,
    ) -> None:
        """A batch was executed and its answers were made; `input_ns` is what reading its requests took in all."""
        self._last_ns = self._clock.now_ns()
        size = self._sizes.get(rows)
        if size is None and len(self._sizes) < MOST_SIZES:
            size = self._sizes[rows] = _Size()
        if size is not None:
            size.executions += 1
            size.input_ns += input_ns
            size.infer_ns += ended_ns - began_ns
            size.output_ns += self._last_ns - ended_ns
        self._elements += elements
        if padding_elements:
            self._padding_elements += padding_elements
        self._batches.observe(rows)

    def own_totals(self) -> ModelTotals:
        """What this process counted."""
        self._count_times()
        return ModelTotals(
            accepted=self.accepted,
            rows=self._rows,
            elements=self._elements,
            padding_elements=self._padding_elements,
            last_inference_ms=(self._epoch_ns + self._last_ns) // 1_000_000 if self._last_ns else 0,
            queued=self.count_queued(),
            refused=self._refused.copy(),
            requests={name: take(histogram) for name, histogram in self._requests.items()},
            stages={name: take(histogram) for name, histogram in self._stages.items()},
            batches=take(self._batches),
            cache=CacheTotals(
                hits=self._hits,
                hit_ns=self._hit_ns,
                misses=self._misses,
                miss_ns=self._miss_ns,
                saved_ns=self._saved_ns,
                parse_ns=self._hit_parse_ns,
                encode_ns=self._hit_encode_ns,
                shared_hits=self._looks["hit"],
                shared_misses=self._looks["miss"],
                shared_errors=self._looks["error"],
                look_ns=self._look_ns,
                shared=self._shared,
                unshared=self._unshared,
            ),
            sizes={
                rows: Executions(size.executions, size.input_ns, size.infer_ns, size.output_ns)
                for rows, size in self._sizes.items()
            },
        )

    def totals(self) -> ModelTotals:
        """What all processes counted."""
        return add_models([self.own_totals(), *self._elsewhere()])

    def statistics(self, name: str, version: str) -> ModelStatistics:
        """The counts of all processes so far, as Triton puts them."""
        return self.totals().statistics(name, version)
