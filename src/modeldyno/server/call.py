"""One inference request on its way through the server, and what it ends in."""

from collections.abc import Callable
from typing import NamedTuple

from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_response import InferBody


class ServerTimes(NamedTuple):
    """Where the time from the first byte read to the answer went; the parts leave no gap."""

    preprocess_ns: int
    """Reading and decoding."""
    queue_ns: int
    """Waiting for an instance and for the batch, and merging it."""
    inference_ns: int
    """`Session.run` of the whole batch."""
    postprocess_ns: int
    """Splitting the batch and encoding the answer."""


class Answer(NamedTuple):
    """A result."""

    body: InferBody
    times: ServerTimes


class Refusal(NamedTuple):
    """No result: an HTTP status and why."""

    status: int
    message: str
    retry_after_s: int | None = None


Reply = Callable[[Answer | Refusal], None]


class Call:
    """A decoded request and whom to tell. `started_ns` is its first byte, `queued_ns` its admission."""

    __slots__ = ("is_cancelled", "queued_ns", "reply", "request", "started_ns")

    def __init__(self, request: InferRequest, reply: Reply, *, started_ns: int, queued_ns: int) -> None:
        self.request = request
        self.reply = reply
        self.started_ns = started_ns
        self.queued_ns = queued_ns
        self.is_cancelled = False
