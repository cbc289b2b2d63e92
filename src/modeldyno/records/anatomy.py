"""Where the time of a call goes: layers around the operators, and the operators against the machine's peaks."""

from typing import Literal

import msgspec

from modeldyno.records.base import Estimate, Record
from modeldyno.records.deployment import Deployment
from modeldyno.records.peaks import MemoryLevel


class Tensor(Record, frozen=True, kw_only=True):
    """What flows between operators: an element type as NumPy names it (`bfloat16`, `string` beside those), a shape."""

    datatype: str
    shape: tuple[int, ...]


class Operation(Record, frozen=True, kw_only=True):
    """One operator as it was executed, or as it stands in a graph whose shapes are known."""

    name: str
    kind: str
    """`MatMul`, `FusedConv`; the runtime's own word."""
    inputs: tuple[Tensor | None, ...]
    """None where an optional input is left out."""
    outputs: tuple[Tensor | None, ...]
    is_known: bool = True
    """Whether every shape is known; those of an operator of which one is not are of no use."""
    attributes: dict[str, int | tuple[int, ...]] = msgspec.field(default_factory=dict)
    """Those that decide the number of operations; of a list of floats its length, as `NAME.length`."""


class OperatorCost(Record, frozen=True, kw_only=True):
    """What an operator has to do at least, by its shapes."""

    operations: int
    """Additions and multiplications, one each; see `models.operator_costs` for what else counts."""
    bytes_moved: int
    """Inputs, weights and outputs, each once: the traffic that no cache can spare."""


class Trace(Record, frozen=True, kw_only=True):
    """What a runtime's own profiler wrote of several calls: the same operators in each."""

    operations: tuple[Operation, ...]
    times_ns: tuple[tuple[float, ...], ...]
    """One row a call, one number an operator."""
    resolution_ns: int
    """Times are cut down to whole multiples of it, so that an operator may take so much longer."""
    arena_bytes: int | None = None
    """What the runtime's allocator held at the end; None where it does not tell."""
    peak_in_use_bytes: int | None = None
    """The most that was in use at once, weights included where they lie in the arena."""


class OperatorTime(Record, frozen=True, kw_only=True):
    """One operator of a call, measured and counted."""

    name: str
    kind: str
    time_ns: Estimate
    share: float
    """Of the time of all operators."""
    precision: str
    """`fp32`, `int8`, ...: what its products are computed in."""
    cost: OperatorCost | None = None
    """None: not counted."""
    bound: Literal["compute", "memory"] | None = None
    """What limits it on this machine; None where that cannot be told."""
    limit_ns: float | None = None
    """The least time that the machine's peaks allow it."""

    @property
    def intensity(self) -> float | None:
        """Operations a byte; None where it is not counted or moves nothing."""
        if self.cost is None or not self.cost.bytes_moved:
            return None
        return self.cost.operations / self.cost.bytes_moved


class CallSplit(Record, frozen=True, kw_only=True):
    """One call cut into layers, differences of ways of calling that took turns: medians, which nearly add up."""

    whole_ns: Estimate
    """As the server and the tuner call it."""
    session_layer_ns: Estimate
    """What our session adds to the runtime's own Python call."""
    python_ns: Estimate
    """From arrays to the runtime's values and back."""
    runtime_ns: Estimate
    """A call of a graph that does nothing, with the same inputs: what the runtime takes for any call."""
    computing_ns: Estimate
    """The rest: the operators, and what the runtime does between them."""
    overhead: Estimate
    """The share of a call that is not computing."""


class Anatomy(Record, frozen=True, kw_only=True):
    """The inside of a call of one deployment at one batch size."""

    deployment: Deployment
    batch_rows: int
    split: CallSplit | None = None
    operators: tuple[OperatorTime, ...] = ()
    """The most expensive first."""
    operators_ns: Estimate | None = None
    """All operators of a call, while the profiler watched."""
    profiled_calls: int = 0
    resolution_ns: int = 0
    """What the profiler's times are cut down to."""
    level: MemoryLevel | None = None
    """The smallest that holds what a call touches: whose bandwidth is the limit."""
    arena_bytes: int | None = None
    peak_in_use_bytes: int | None = None
    stolen_fraction: float | None = None
    """Processor time that the hypervisor took meanwhile; None where the kernel does not tell."""
    notes: tuple[str, ...] = ()
    """What could not be told, and why."""


class GraphCost(Record, frozen=True, kw_only=True):
    """What one row costs by the graph as it came, before a runtime fuses anything."""

    operations: int
    bytes_moved: int
    weight_bytes: int
    uncounted: dict[str, int] = msgspec.field(default_factory=dict)
    """Kind of operator to how many of them are not in these numbers."""


class ColdStart(Record, frozen=True, kw_only=True):
    """From nothing to the first answer, in processes that were started for it."""

    deployment: Deployment
    batch_rows: int
    processes: int
    process_ns: Estimate
    """Until Python and our own modules were up."""
    library_ns: Estimate
    """Importing the runtime."""
    load_ns: Estimate
    """From the file to a session."""
    first_ns: Estimate
    """The first call."""
    warm_ns: Estimate
    """A later call, in the same processes."""
    total_ns: Estimate
    """To the first answer."""


class MemoryUse(Record, frozen=True, kw_only=True):
    """Resident memory of a process that does nothing but compute; the median over `ColdStart.processes`."""

    runtime_bytes: int
    """Python, our modules and the runtime, before the model."""
    model_bytes: int
    """What loading it added: weights, and what was made of them."""
    call_bytes: int
    """What the first call added at the smallest batch: the arena."""
    batch_bytes: int
    """What a call at the largest batch added to that."""
    largest_batch_rows: int
    peak_bytes: int
    """The most that was ever resident, loading included."""
