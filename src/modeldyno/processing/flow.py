"""The way of one request through a pipeline, as a coroutine that says what it needs and waits for nothing itself.

A server that batches each step with those of other requests, and a loop that computes one thing after the other, drive
the same flow.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeAlias

from modeldyno.processing.steps import Apply, Array
from modeldyno.protocols import Tensors


class Ask(NamedTuple):
    """Send the outputs of a member for these inputs."""

    member: str
    tensors: Tensors


class Compute(NamedTuple):
    """Send what comes out of a pure function of these tensors; it may take long."""

    apply: Apply
    tensors: Tensors


class Fork(NamedTuple):
    """Send a list of what these flows end with; they need not wait for each other."""

    branches: "tuple[Flow, ...]"


Flow: TypeAlias = Generator[Ask | Compute | Fork, Any, dict[str, Array]]


def run_flow(flow: Flow, ask: Callable[[str, Tensors], dict[str, Array]]) -> dict[str, Array]:
    """What a flow ends with, everything computed here and now.

    Args:
        flow: not begun yet.
        ask: the outputs of a member.
    """
    answer: object = None
    while True:
        try:
            need = flow.send(answer)
        except StopIteration as end:
            outputs: dict[str, Array] = end.value
            return outputs
        match need:
            case Ask(member, tensors):
                answer = ask(member, tensors)
            case Compute(apply, tensors):
                answer = apply(tensors)
            case Fork(branches):
                answer = [run_flow(branch, ask) for branch in branches]
