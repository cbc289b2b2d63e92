"""What a reader is, on one page."""

from typing import Protocol

from modeldyno.loadgen.transports.connection import Answer
from modeldyno.wire.http1_response import HttpResponse


class AnswerReader(Protocol):
    """What is made of the answers on one connection; made anew for each connection, told of one request after another.

    It is called after the stamps are taken: what it costs is the client's CPU time, never the response time.
    """

    @property
    def streams(self) -> bool:
        """Whether `piece` is to be called."""
        ...

    def begin(self, which: int) -> None:
        """The prepared request number `which` is being sent."""
        ...

    def piece(self, data: bytes, moment_ns: int) -> None:
        """A piece of the body has come; of a reader that streams only."""
        ...

    def read(self, response: HttpResponse) -> Answer:
        """The answer is whole. Of a gRPC call, `status` is its code and `body` its message.

        Raises:
            MalformedResponseError: it is not what the protocol allows.
        """
        ...
