"""A pipeline computed here and now, one step after the other: for checks and evaluations, not for serving."""

from collections.abc import Mapping

from modeldyno.processing.flow import run_flow
from modeldyno.processing.graph import PlannedPipeline
from modeldyno.processing.steps import Array
from modeldyno.protocols import Session, Tensors
from modeldyno.records.signature import Signature


class PipelineSession:
    """A `modeldyno.protocols.Session`.

    Args:
        plan: of the graph.
        sessions: of its members; whoever opened them closes them, unless `owns` says otherwise.
        owns: whether they are closed with it.
    """

    def __init__(self, plan: PlannedPipeline, sessions: Mapping[str, Session], *, owns: bool = False) -> None:
        self._plan = plan
        self._sessions = sessions
        self._owns = owns

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._plan.signature

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """See `Session`.

        Raises:
            DataError: an operation refuses a value.
            ToolError: a member fails.
        """
        return run_flow(self._plan.begin(inputs), lambda member, tensors: self._sessions[member].run(tensors))

    def close(self) -> None:
        """See `Session`."""
        if self._owns:
            for session in self._sessions.values():
                session.close()
