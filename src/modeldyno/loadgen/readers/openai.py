"""OpenAI-compatible answers: streams, whose pieces are stamped as they come, and whole ones."""

from collections.abc import Sequence

from modeldyno.loadgen.readers.plain import plain_answer
from modeldyno.loadgen.transports.connection import MOST_WORDS, Answer
from modeldyno.records.requests import Outcome
from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_response import HttpResponse
from modeldyno.wire.openai import Counts, Endpoint, ReportedError, TokenStream, read_answer


class StreamReader:
    """Chat and completions that stream.

    Several pieces in one read get the same stamp: when they came, and not when they could have been looked at. A
    status of 200 that is followed by an error is a failure with the status that the error names.
    """

    streams = True

    def __init__(self) -> None:
        self._stream = TokenStream()
        self._problem: WireError | ReportedError | None = None
        self._first = b""

    def begin(self, which: int) -> None:  # noqa: ARG002 - the role gives it; all streams are read alike
        """See `AnswerReader`."""
        self._stream = TokenStream()
        self._problem = None
        self._first = b""

    def piece(self, data: bytes, moment_ns: int) -> None:
        """See `AnswerReader`."""
        if not self._first:
            self._first = data
        if self._problem is None:
            try:
                self._stream.feed(data, moment_ns)
            except (WireError, ReportedError) as problem:
                self._problem = problem  # told with the outcome, when the answer is whole

    def read(self, response: HttpResponse) -> Answer:
        """See `AnswerReader`."""
        answer = plain_answer(response)
        if answer.outcome != Outcome.OK:
            return answer._replace(words=self._first[:MOST_WORDS])
        stream = self._stream
        stream.end()
        moments = stream.moments_ns
        tokens = stream.counts.output_tokens
        answer = answer._replace(
            first_token_ns=moments[0] if moments else -1,
            last_token_ns=moments[-1] if moments else -1,
            input_tokens=stream.counts.input_tokens,
            output_tokens=tokens if tokens >= 0 else len(moments),
            token_moments=moments,
        )
        if self._problem is not None:
            return _failed(answer, self._problem)
        if not stream.is_complete:
            return answer._replace(outcome=Outcome.STREAM_CUT if stream.has_begun else Outcome.MALFORMED)
        return answer


class WholeReader:
    """Chat, completions and embeddings that come in one piece.

    Args:
        endpoint: that is asked.
        rows: texts in each of the prepared requests.
    """

    streams = False

    def __init__(self, endpoint: Endpoint, rows: Sequence[int]) -> None:
        self._endpoint: Endpoint = endpoint
        self._rows = rows
        self._asked = 1

    def begin(self, which: int) -> None:
        """See `AnswerReader`."""
        self._asked = self._rows[which]

    def piece(self, data: bytes, moment_ns: int) -> None:
        """See `AnswerReader`."""

    def read(self, response: HttpResponse) -> Answer:
        """See `AnswerReader`."""
        answer = plain_answer(response)
        if answer.outcome != Outcome.OK:
            return answer
        try:
            counts: Counts = read_answer(self._endpoint, response.body, self._asked)
        except (WireError, ReportedError) as problem:
            return _failed(answer, problem)
        return answer._replace(input_tokens=counts.input_tokens, output_tokens=counts.output_tokens)


def _failed(answer: Answer, problem: WireError | ReportedError) -> Answer:
    if isinstance(problem, ReportedError) and problem.status:
        words = str(problem).encode()[:MOST_WORDS]
        return answer._replace(outcome=Outcome.HTTP_ERROR, status=problem.status, words=words)
    return answer._replace(outcome=Outcome.MALFORMED)
