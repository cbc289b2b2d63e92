"""One inference request on its way through the server, and what it ends in."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from modeldyno.protocols import Tensors
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_request import InferRequest, InferRequestDecoder
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
    batch_ns: int = 0
    """Of `queue_ns`: waiting for company while an instance was idle, where the deployment allows a delay."""
    padding_ns: int = 0
    """Of `queue_ns`: merging and padding the batch."""


class Answer(NamedTuple):
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


class Call:
    """A decoded request and whom to tell: a `modeldyno.policies.waiting.Waiting`.

    Args:
        request: what is asked.
        reply: called once with what it ends in, unless it is cancelled.
        started_ns: when its first byte came.
        queued_ns: when it was decoded and joined the queue.
        deadline_ns: when it gets 504 instead of an answer; None: never.
        tenant: whose it is; empty where no keys are asked for.
    """

    __slots__ = (
        "deadline_ns",
        "due_ns",
        "flight",
        "is_over",
        "key",
        "lane",
        "queued_ns",
        "reply",
        "request",
        "rows",
        "started_ns",
        "tenant",
    )

    def __init__(
        self,
        request: InferRequest,
        reply: Reply,
        *,
        started_ns: int,
        queued_ns: int,
        deadline_ns: int | None = None,
        tenant: str = "",
    ) -> None:
        self.request = request
        self.reply = reply
        self.started_ns = started_ns
        self.queued_ns = queued_ns
        self.deadline_ns = deadline_ns
        self.tenant = tenant
        self.rows = request.rows
        self.key: Hashable = request.batch_key
        """Only calls of one key are merged; the batcher's padding makes it coarser."""
        self.lane = 0
        """Index of its priority, 0 the highest."""
        self.due_ns = queued_ns
        """Until when it may wait for company."""
        self.flight: Flight | None = None
        """Of equal requests, which it leads or follows; None without a cache."""
        self.is_over = False
        """Whether it was answered, cancelled, expired or lost: nobody waits for it any more."""
