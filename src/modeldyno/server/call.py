"""One inference request on its way through the server, and what it ends in."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from modeldyno.protocols import Tensors
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_response import InferBody
from modeldyno.wire.v2_tensors import Buffer

if TYPE_CHECKING:
    from modeldyno.server.caching.flights import Flight


class Computed(NamedTuple):
    """What came out of one batch, and when `Session.run` began and ended."""

    outputs: Tensors
    error: BaseException | None
    began_ns: int
    ended_ns: int
    picked_ns: int = 0
    """When its merging began; `began_ns` for a request alone, 0 when that failed."""
    elements: int = 0
    """Of the inputs, padding among them."""
    padding_elements: int = 0
    """Computed for nobody."""


class ServerTimes(msgspec.Struct, frozen=True, gc=False):
    """Where the time from the first byte read to the answer went; the parts leave no gap."""

    preprocess_ns: int
    """Reading and decoding."""
    queue_ns: int
    """Waiting for an instance and for the batch, and merging it."""
    inference_ns: int
    """`Session.run` of the whole batch."""
    postprocess_ns: int
    """Splitting the batch and encoding the answer."""
    batch_ns: int = 0
    """Of `queue_ns`: waiting for company while an instance was idle, where the deployment allows a delay."""
    padding_ns: int = 0
    """Of `queue_ns`: merging and padding the batch."""


class Answer(msgspec.Struct, frozen=True):
    """A result."""

    body: InferBody
    times: ServerTimes
    outputs: Tensors | None = None
    """As they were computed, maybe as parts of a batch's: for a pipeline, which needs no `body`."""


class Refusal(NamedTuple):
    """No result: an HTTP status and why."""

    status: int
    message: str
    retry_after_s: int | None = None


NO_MEMORY = Refusal(503, "there was not enough memory for this request; try again later", 1)

Reply = Callable[[Answer | Refusal], None]


def decode_or_refuse(decoder: InferRequestDecoder, body: Buffer, header_length: int | None) -> InferRequest | Refusal:
    """The HTTP request in `body`, or why it is none."""
    try:
        return decoder.decode(body, header_length)
    except WireError as problem:
        return Refusal(problem.status, problem.message)
    except MemoryError:
        return NO_MEMORY


class Call(msgspec.Struct, eq=False):
    """A decoded request and whom to tell: a `modeldyno.policies.waiting.Waiting`."""

    request: InferRequest
    """What is asked."""
    reply: Reply
    """Called once with what it ends in, unless it is cancelled."""
    started_ns: int
    """When its first byte came."""
    queued_ns: int
    """When it was decoded and joined the queue."""
    deadline_ns: int | None = None
    """When it gets 504 instead of an answer; None: never."""
    tenant: str = ""
    """Whose it is; empty where no keys are asked for."""
    rows: int = 0
    """Of the request."""
    key: Hashable = ()
    """Only calls of one key are merged: the request's `batch_key`, which the batcher's padding makes coarser."""
    due_ns: int = 0
    """Until when it may wait for company."""
    lane: int = 0
    """Index of its priority, 0 the highest."""
    flight: "Flight | None" = None
    """Of equal requests, which it leads or follows; None without a cache."""
    is_over: bool = False
    """Whether it was answered, cancelled, expired or lost: nobody waits for it any more."""

    def __post_init__(self) -> None:
        self.rows = self.request.rows
        self.key = self.request.batch_key
        self.due_ns = self.queued_ns
