"""Which reader belongs to which name, in one place."""

from collections.abc import Callable, Mapping

from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.readers.plain import PlainReader
from modeldyno.loadgen.readers.reader import AnswerReader
from modeldyno.loadgen.wiring import ReaderName

READERS: Mapping[ReaderName, Callable[[Assignment], AnswerReader]] = {
    "plain": lambda _: PlainReader(),
    "v2": lambda _: PlainReader(),
}


def reader_of(assignment: Assignment) -> AnswerReader:
    """A new reader for one connection."""
    return READERS[assignment.reader](assignment)
