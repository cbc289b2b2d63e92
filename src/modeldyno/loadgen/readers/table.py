"""Which reader belongs to which name, in one place."""

from collections.abc import Callable, Mapping

from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.readers.expected import AnswerCheck, ExpectedReader
from modeldyno.loadgen.readers.openai import StreamReader, WholeReader
from modeldyno.loadgen.readers.outputs import DECODERS
from modeldyno.loadgen.readers.plain import PlainReader
from modeldyno.loadgen.readers.reader import AnswerReader
from modeldyno.loadgen.readers.v2 import V2Reader
from modeldyno.loadgen.wiring import ReaderName
from modeldyno.seeds import child_seed


def _v2_grpc(_: Assignment) -> AnswerReader:
    from modeldyno.loadgen.readers.v2_grpc import V2GrpcReader  # protobuf takes 30 ms

    return V2GrpcReader()


READERS: Mapping[ReaderName, Callable[[Assignment], AnswerReader]] = {
    "plain": lambda _: PlainReader(),
    "v2": lambda _: V2Reader(),
    "v2-grpc": _v2_grpc,
    "openai": lambda _: StreamReader(),
    "openai-chat": lambda assignment: WholeReader("chat", assignment.rows),
    "openai-completions": lambda assignment: WholeReader("completions", assignment.rows),
    "openai-embeddings": lambda assignment: WholeReader("embeddings", assignment.rows),
    "tf-serving": lambda _: PlainReader(),
}


class Readers:
    """Makes the readers of one sending process, and keeps what they share.

    Args:
        assignment: names the protocol, and what is expected.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self.check = _check_of(assignment) if assignment.expected else None
        """What answers are held against; None when nothing is expected."""

    def open(self) -> AnswerReader:
        """A new reader for one connection."""
        reader = READERS[self._assignment.reader](self._assignment)
        return reader if self.check is None else ExpectedReader(reader, self.check)


def _check_of(assignment: Assignment) -> AnswerCheck:
    return AnswerCheck(
        assignment.expected,
        share=assignment.checked_share,
        tolerance=assignment.tolerance,
        decode=DECODERS.get(assignment.reader),
        seed=child_seed(assignment.seed, f"check/{assignment.worker}"),
    )
