"""Programs recorded as CUDA graphs: one for each of a few batch sizes, with tensors that stay where they are."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from modeldyno.records.signature import Signature
from modeldyno.torch_library import Program, load_torch

RECORDED_ROWS = (1, 2, 4, 8, 16, 32, 64)
"""A batch between two of them is filled up to the larger one; beyond the last it is computed without a graph."""
_WARM_CALLS = 3
"""Libraries choose kernels and take memory in the first calls, which must not be recorded; three, as is documented."""


class Recording(NamedTuple):
    """One batch size, recorded."""

    inputs: list[Any]
    """Where a batch is copied to."""
    outputs: Any
    """Where its answers are afterwards: a tensor, a list of them, or a dictionary."""
    replay: Callable[[], None]


class Record(Protocol):
    """What records a program."""

    def __call__(self, program: Program, inputs: list[Any]) -> Recording:
        """Compute once with these inputs, which belong to the recording from then on."""
        ...


class GraphedProgram:
    """A program that replays recordings where it has them.

    Only for programs whose tensors vary in the number of rows alone, and for one thread at a time, as sessions are.

    Args:
        program: on the device, without branches that depend on values.
        example: tensors on the device for a number of rows.
        record: makes a recording; PyTorch's where there is a GPU.
        sizes: rows that are recorded, ascending.
    """

    def __init__(
        self,
        program: Program,
        example: Callable[[int], list[Any]],
        record: Record,
        sizes: Sequence[int] = RECORDED_ROWS,
    ) -> None:
        self._program = program
        # The largest first: smaller ones then find their memory in what it took.
        self._recordings = {rows: record(program, example(rows)) for rows in reversed(sizes)}
        self._sizes = tuple(sizes)

    def __call__(self, *tensors: Any) -> Any:
        """The answers of a batch, in memory of their own."""
        rows = len(tensors[0])
        size = next((one for one in self._sizes if rows <= one), None)
        if size is None or rows == 0:
            return self._program(*tensors)
        recording = self._recordings[size]
        for place, tensor in zip(recording.inputs, tensors, strict=True):
            place[:rows].copy_(tensor)
            if rows < size:
                # What an earlier batch left there might be of no meaning to this model; a row of this one is.
                place[rows:].copy_(tensor[-1:].expand_as(place[rows:]))
        recording.replay()
        return _first_rows(recording.outputs, rows)


def _first_rows(outputs: Any, rows: int) -> Any:
    if isinstance(outputs, dict):
        return {name: one[:rows].clone() for name, one in outputs.items()}
    if isinstance(outputs, list | tuple):
        return [one[:rows].clone() for one in outputs]
    return outputs[:rows].clone()


def can_be_recorded(signature: Signature) -> bool:
    """Whether nothing but the number of rows varies, the same for all inputs and outputs."""
    specs = (*signature.inputs, *signature.outputs)
    return signature.has_batch_dimension and all(isinstance(size, int) for spec in specs for size in spec.shape[1:])


class CudaRecorder:
    """Records on the current GPU, all batch sizes in one pool of memory, for they are never replayed at once."""

    def __init__(self) -> None:
        self._torch = load_torch()
        self._pool = self._torch.cuda.graph_pool_handle()

    def __call__(self, program: Program, inputs: list[Any]) -> Recording:
        """See `Record`."""
        cuda = self._torch.cuda
        aside = cuda.Stream()
        aside.wait_stream(cuda.current_stream())
        with self._torch.inference_mode():
            with cuda.stream(aside):
                for _ in range(_WARM_CALLS):
                    program(*inputs)
            cuda.current_stream().wait_stream(aside)
            graph = cuda.CUDAGraph()
            # Other sessions may use the GPU meanwhile, each in a thread of its own.
            with cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                outputs = program(*inputs)
        return Recording(inputs, outputs, graph.replay)
