"""What one served model did since the server began, for its statistics."""

from modeldyno.clock import Clock, epoch_ms
from modeldyno.records.model_statistics import BatchCount, CountedTime, ModelStatistics
from modeldyno.server.call import ServerTimes

MOST_SIZES = 1_000
"""Batch sizes told apart; a request may have any number of rows, and memory must not grow with what clients send."""


class _Size:
    """The executions of one batch size."""

    __slots__ = ("executions", "infer_ns", "input_ns", "output_ns")

    def __init__(self) -> None:
        self.executions = self.input_ns = self.infer_ns = self.output_ns = 0


class ModelCounts:
    """Counts where it happens, on the server's loop; `statistics` makes the record."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._epoch_ns = epoch_ms(clock.wall_time()) * 1_000_000 - clock.now_ns()
        self._answered = self._failed = self._rows = 0
        self._failed_ns = self._queue_ns = self._input_ns = self._infer_ns = self._output_ns = 0
        self._last_ns = 0
        self._sizes: dict[int, _Size] = {}
        self._other_sizes = _Size()

    def count_answer(self, times: ServerTimes, rows: int) -> None:
        """A request was answered."""
        self._answered += 1
        self._rows += rows
        self._input_ns += times.preprocess_ns
        self._queue_ns += times.queue_ns
        self._infer_ns += times.inference_ns
        self._output_ns += times.postprocess_ns

    def count_failure(self, started_ns: int) -> None:
        """A request that was accepted got an error."""
        self._failed += 1
        self._failed_ns += self._clock.now_ns() - started_ns

    def count_batch(self, rows: int, *, input_ns: int, began_ns: int, ended_ns: int) -> None:
        """A batch was executed and its answers were made; `input_ns` is what reading its requests took in all."""
        size = self._sizes.get(rows)
        if size is None:
            size = self._sizes.setdefault(rows, _Size()) if len(self._sizes) < MOST_SIZES else self._other_sizes
        size.executions += 1
        size.input_ns += input_ns
        size.infer_ns += ended_ns - began_ns
        self._last_ns = self._clock.now_ns()
        size.output_ns += self._last_ns - ended_ns

    def statistics(self, name: str, version: str) -> ModelStatistics:
        """The counts so far. Reading and decoding a request is `compute_input`, merging the batch is in `queue`."""
        answered = self._answered
        success_ns = self._queue_ns + self._input_ns + self._infer_ns + self._output_ns
        return ModelStatistics(
            name=name,
            version=version,
            last_inference_ms=(self._epoch_ns + self._last_ns) // 1_000_000 if self._sizes else 0,
            inference_count=self._rows,
            execution_count=sum(size.executions for size in (*self._sizes.values(), self._other_sizes)),
            success=CountedTime(count=answered, ns=success_ns),
            fail=CountedTime(count=self._failed, ns=self._failed_ns),
            queue=CountedTime(count=answered, ns=self._queue_ns),
            compute_input=CountedTime(count=answered, ns=self._input_ns),
            compute_infer=CountedTime(count=answered, ns=self._infer_ns),
            compute_output=CountedTime(count=answered, ns=self._output_ns),
            batches=tuple(_batch(rows, size) for rows, size in sorted(self._sizes.items())),
        )


def _batch(rows: int, size: _Size) -> BatchCount:
    return BatchCount(
        rows=rows,
        compute_input=CountedTime(count=size.executions, ns=size.input_ns),
        compute_infer=CountedTime(count=size.executions, ns=size.infer_ns),
        compute_output=CountedTime(count=size.executions, ns=size.output_ns),
    )
