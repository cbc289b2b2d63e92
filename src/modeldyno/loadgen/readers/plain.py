"""Any HTTP answer: what its status says."""

from modeldyno.loadgen.server_timing import parse_server_timing
from modeldyno.loadgen.transports.connection import MOST_WORDS, Answer
from modeldyno.records.requests import Outcome
from modeldyno.wire.http1_response import HttpResponse

_PLAINLY_OK = Answer(Outcome.OK, 200, keep_alive=True)
"""Most answers of most servers: making another such tuple takes half a microsecond."""


class PlainReader:
    """A 2xx is an answer; its body is not looked at."""

    streams = False

    def begin(self, which: int) -> None:
        """See `AnswerReader`."""

    def piece(self, data: bytes, moment_ns: int) -> None:
        """See `AnswerReader`."""

    def read(self, response: HttpResponse) -> Answer:
        """See `AnswerReader`."""
        return plain_answer(response)


def plain_answer(response: HttpResponse) -> Answer:
    """The outcome by the status, and the `Server-Timing` where there is one."""
    times = response.headers.get(b"server-timing")
    if times is None and response.status == 200 and response.keep_alive:
        return _PLAINLY_OK
    is_good = 200 <= response.status < 300
    return Answer(
        Outcome.OK if is_good else Outcome.HTTP_ERROR,
        response.status,
        response.keep_alive,
        parse_server_timing(times) if times is not None else None,
        words=b"" if is_good else response.body[:MOST_WORDS],
    )
