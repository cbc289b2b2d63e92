"""What PyTorch's own profiler tells of the operators of a call, in a session opened for nothing else.

Times are of torch.autograd.profiler on the processor (docs.pytorch.org, "Autograd profiler"): those of the operators
that a program calls, with all that these call in turn. An operator whose work is not known from its shapes is taken
apart into itself and those that it calls, where these are known.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

from modeldyno.errors import ToolError
from modeldyno.protocols import Session, Tensors
from modeldyno.records.anatomy import Operation, Trace
from modeldyno.runtimes.pytorch_operators import is_counted, is_view, operation_of
from modeldyno.torch_library import load_torch

_CALL = "modeldyno.call"
_OPERATOR = "aten::"
_RESOLUTION_NS = 1
_SILENT = "99"

_Seen = tuple[tuple[Operation, float], ...]
"""Each operator of a call with its time in ns."""


class PyTorchProfile:
    """A session with PyTorch's profiler on; a context as `OnnxProfile` is one.

    Args:
        open_session: opens the session that is called.
    """

    most_events: ClassVar[int] = 20_000
    """To ask of it in all: each takes some 0.1 ms to read in the end."""

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open = open_session
        self._calls: list[_Seen] = []
        self._events: int | None = None
        self._watching: Any = None

    def __enter__(self) -> Self:
        """Open the session.

        Raises:
            DynoError: see `Runtime.open`.
        """
        self._session = self._open()
        # The library below PyTorch's profiler writes to standard error when it starts and when it stops.
        os.environ.setdefault("KINETO_LOG_LEVEL", _SILENT)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._session.close()

    @property
    def operators(self) -> int | None:
        """How many events a call has, those inside of operators among them; None before the first."""
        return self._events

    def run(self, inputs: Tensors) -> None:
        """One call. What the first tells is read at once, of the others in the end.

        Raises:
            DynoError: see `Session.run`.
        """
        if self._watching is None:
            self._watching = load_torch().autograd.profiler.profile(record_shapes=True)
            self._watching.__enter__()
        try:
            with load_torch().autograd.profiler.record_function(_CALL):
                self._session.run(inputs)
        except Exception:
            self._stop()
            self._calls.pop()
            raise
        if self._events is None:
            self._stop()

    def end(self, *, skip: int) -> Trace:
        """The operators of the calls after the first `skip`.

        Raises:
            ToolError: the calls do not run the same operators, or there are none.
        """
        self._stop()
        kept = self._calls[skip:]
        if not kept or any([one for one, _ in call] != [one for one, _ in kept[-1]] for call in kept):
            raise ToolError(
                f"PyTorch's profiler told of {len(kept)} calls that do not run the same operators",
                why="the program branches, and no mean of its operators can be told",
            )
        return Trace(
            operations=tuple(one for one, _ in kept[-1]),
            times_ns=tuple(tuple(took for _, took in call) for call in kept),
            resolution_ns=_RESOLUTION_NS,
        )

    def _stop(self) -> None:
        if self._watching is None:
            return
        watching, self._watching = self._watching, None
        watching.__exit__(None, None, None)
        events = watching.function_events
        calls = [one for one in events if one.name == _CALL]
        self._calls += [tuple(_inside(call)) for call in calls]
        if self._events is None:
            self._events = len(events)


def _inside(event: Any) -> Iterator[tuple[Operation, float]]:
    """The operators that it calls, in their order, and the time of each in ns."""
    for one in event.cpu_children:
        if not one.name.startswith(_OPERATOR):
            continue
        is_whole = is_counted(one.name) or is_view(one.name) or not any(map(_has_counted, one.cpu_children))
        yield operation_of(one), 1e3 * (one.cpu_time_total if is_whole else one.self_cpu_time_total)
        if not is_whole:
            yield from _inside(one)


def _has_counted(event: Any) -> bool:
    return is_counted(event.name) or any(_has_counted(one) for one in event.cpu_children)
