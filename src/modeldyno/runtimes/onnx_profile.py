"""What ONNX Runtime's own profiler tells of the operators of a call, in a session opened for nothing else.

The profiler writes one event an operator in JSON (docs.onnxruntime.ai, "Profiling Tools"), with the shapes that came in
and went out, but without weights that a kernel has packed for itself. Those, and the attributes, are read from the
optimised graph that the session writes when it is opened: what is executed is that graph, operator by operator.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from modeldyno.errors import InputError, ToolError
from modeldyno.protocols import Tensors
from modeldyno.records.anatomy import Operation, Tensor, Trace
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_runtime import session_options

_LARGEST_GRAPH_BYTES = 1_800_000_000
"""A graph with its weights in one file must stay below protobuf's 2 GiB."""
_RESOLUTION_NS = 1_000
_DATATYPES = {"float": "float32", "double": "float64"}
"""The profiler's names of element types, where they are not NumPy's."""
_SUFFIX = "_kernel_time"


class OnnxProfile:
    """A session with the profiler on. Use it as a context: the profiler's files are gone after it."""

    most_events: ClassVar[int] = 100_000
    """To ask of it in all: it keeps a million in memory and drops the rest; each takes about 700 bytes of its file."""

    def __init__(self, path: Path, settings: SessionSettings) -> None:
        self._path = path
        self._settings = settings
        self._calls = 0

    def __enter__(self) -> Self:
        """Open the session.

        Raises:
            InputError: ONNX Runtime cannot load the file.
        """
        import onnxruntime

        self._folder = tempfile.TemporaryDirectory(prefix="dyno-profile-")
        options = session_options(self._settings.threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(self._folder.name, "profile"))
        if self._path.stat().st_size < _LARGEST_GRAPH_BYTES:
            options.optimized_model_filepath = str(self._written)
        try:
            self._engine = onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # its error classes share no base but Exception
            self._folder.cleanup()
            raise InputError(f"ONNX Runtime cannot load {self._path} with its profiler", why=str(problem)) from problem
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @property
    def operators(self) -> int | None:
        """How many the executed graph has; None where it could not be written."""
        return len(self._graph.node) if self._graph is not None else None

    def run(self, inputs: Tensors) -> None:
        """One call.

        Raises:
            ToolError: ONNX Runtime fails on the tensors.
        """
        try:
            self._engine.run(None, dict(inputs))
        except Exception as problem:
            raise ToolError(
                "ONNX Runtime could not compute this batch with its profiler", why=str(problem)
            ) from problem
        self._calls += 1

    def end(self, *, skip: int) -> Trace:
        """Stop the profiler and read what it wrote, without the first `skip` calls.

        Raises:
            ToolError: the profile does not hold the calls that were made.
        """
        events = json.loads(Path(self._engine.end_profiling()).read_text(encoding="utf-8"))
        nodes = list(self._graph.node) if self._graph is not None else []
        weights = _weights(self._graph) if self._graph is not None else {}
        return read_profile(events, nodes, weights, calls=self._calls, skip=skip)

    @property
    def _written(self) -> Path:
        return Path(self._folder.name, "graph.onnx")

    @cached_property
    def _graph(self) -> Any | None:
        """The graph that is executed, as the session wrote it; None for one too large to be written."""
        import onnx

        if not self._written.exists():
            return None
        return onnx.load_model(str(self._written), load_external_data=False).graph


def read_profile(
    events: Sequence[Mapping[str, Any]],
    nodes: Sequence[Any],
    weights: Mapping[str, Tensor],
    *,
    calls: int,
    skip: int,
) -> Trace:
    """The operators of every call.

    Args:
        events: of the profiler's file, in the order they were written.
        nodes: `onnx.NodeProto`s of the executed graph, in order; empty where they are not known.
        weights: its initialisers.
        calls: how many were made.
        skip: of the first of them, which pay for what later ones find ready.

    Raises:
        ToolError: the events are not of so many calls of one and the same graph.
    """
    runs = _runs(events)
    if len(runs) != calls or calls <= skip:
        raise ToolError(f"ONNX Runtime's profiler wrote {len(runs)} of {calls} calls", why=f"{skip} of them warm up")
    kept = runs[skip:]
    names = [event["name"] for event in kept[-1]]
    if any([event["name"] for event in run] != names for run in kept):
        raise ToolError(
            "the calls do not run the same operators",
            why="the graph branches, and no mean of its operators can be told",
        )
    last = kept[-1]
    matched = _matched(last, nodes)
    memory = [event["args"] for event in last]
    return Trace(
        operations=tuple(_operation(event, node, weights) for event, node in zip(last, matched, strict=True)),
        times_ns=tuple(tuple(float(event["dur"]) * 1_000 for event in run) for run in kept),
        resolution_ns=_RESOLUTION_NS,
        arena_bytes=_largest(memory, "mem_arena_held"),
        peak_in_use_bytes=_largest(memory, "mem_in_use_peak"),
    )


def _runs(events: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The operators' events, call by call: each call's are written before its own."""
    runs, current = [], []
    for event in events:
        if event["cat"] == "Node" and str(event["name"]).endswith(_SUFFIX):
            current.append(event)
        elif event["name"] == "model_run":
            runs.append(current)
            current = []
    return runs


def _matched(events: Sequence[Mapping[str, Any]], nodes: Sequence[Any]) -> list[Any | None]:
    """The node of each event: one by one where kinds and names agree, for many have no name; else by name."""
    if len(events) == len(nodes) and all(_is_of(event, node) for event, node in zip(events, nodes, strict=True)):
        return list(nodes)
    by_name = {node.name: node for node in nodes if node.name}
    return [by_name.get(str(event["name"]).removesuffix(_SUFFIX)) for event in events]


def _is_of(event: Mapping[str, Any], node: Any) -> bool:
    is_named = not node.name or str(event["name"]).removesuffix(_SUFFIX) == node.name
    return is_named and bool(event["args"]["op_name"] == node.op_type)


def _operation(event: Mapping[str, Any], node: Any | None, weights: Mapping[str, Tensor]) -> Operation:
    arguments = event["args"]
    shown = [_tensor(one) for one in arguments.get("input_type_shape", ())]
    outputs = tuple(_tensor(one) for one in arguments.get("output_type_shape", ()))
    name, kind = str(event["name"]).removesuffix(_SUFFIX).strip(), str(arguments["op_name"])
    if node is None:
        return Operation(name=name, kind=kind, inputs=tuple(shown), outputs=outputs, is_known=False)
    inputs = _inputs(node, shown, weights)
    return Operation(
        name=name or kind,
        kind=kind,
        inputs=() if inputs is None else inputs,
        outputs=outputs,
        attributes=_attributes(node),
        is_known=inputs is not None,
    )


def _inputs(node: Any, shown: list[Tensor], weights: Mapping[str, Tensor]) -> tuple[Tensor | None, ...] | None:
    """Every input in its place; the profiler leaves out the weights that were packed. None where they do not fit."""
    left = list(shown)
    inputs: list[Tensor | None] = []
    for index, name in enumerate(node.input):
        weight = weights.get(name)
        if not name:
            inputs.append(None)
        elif weight is not None:
            # A weight that was not packed is shown as well; it is taken where the inputs after it still get theirs.
            still = sum(1 for later in node.input[index + 1 :] if later and later not in weights)
            if left and left[0] == weight and len(left) > still:
                left.pop(0)
            inputs.append(weight)
        elif left:
            inputs.append(left.pop(0))
        else:
            return None
    return tuple(inputs)


def _weights(graph: Any) -> dict[str, Tensor]:
    import onnx

    found = {}
    for weight in graph.initializer:
        name = onnx.TensorProto.DataType.Name(weight.data_type).lower()
        found[weight.name] = Tensor(datatype=_DATATYPES.get(name, name), shape=tuple(weight.dims))
    return found


def _tensor(shown: Mapping[str, Sequence[int]]) -> Tensor:
    name, shape = next(iter(shown.items()))
    return Tensor(datatype=_DATATYPES.get(name, name), shape=tuple(shape))


def _attributes(node: Any) -> dict[str, int | tuple[int, ...]]:
    import onnx

    kinds = onnx.AttributeProto
    found: dict[str, int | tuple[int, ...]] = {one.name: int(one.i) for one in node.attribute if one.type == kinds.INT}
    found |= {one.name: tuple(one.ints) for one in node.attribute if one.type == kinds.INTS}
    return found | {f"{one.name}.length": len(one.floats) for one in node.attribute if one.type == kinds.FLOATS}


def _largest(memory: Sequence[Mapping[str, Any]], key: str) -> int | None:
    return max((int(one[key]) for one in memory if key in one), default=None)
