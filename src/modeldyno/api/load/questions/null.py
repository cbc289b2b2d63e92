"""No question at all: what the instrument itself costs."""

from collections.abc import Sequence

from modeldyno.api.load.questions.ask import Ask, Prepared, Questions
from modeldyno.loadgen.wiring import PreparedRequest, Wiring


def null_questions(url: str, ask: Ask) -> Questions:  # noqa: ARG001 - the signature of the table
    """Requests without a body, to nowhere."""

    def make(sizes: Sequence[int], seed: int) -> Prepared:  # noqa: ARG001 - the signature of `Questions.make`
        return Prepared(requests=[PreparedRequest(b"", (), size) for size in sizes])

    return Questions(protocol="null", model="null", wiring=Wiring(transport="null"), make=make)
