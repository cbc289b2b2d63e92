"""What the user says about the questions, and what becomes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike

from modeldyno.api.load.questions.check import Check
from modeldyno.api.load.questions.prompts import Prompts
from modeldyno.api.load.questions.template_share import TemplateShare
from modeldyno.data.lengths import LengthMix
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.wiring import Expectations, PreparedRequest, Wiring
from modeldyno.records.answers import FROM_SERVER
from modeldyno.records.prompting import Prompting
from modeldyno.records.signature import Signature
from modeldyno.records.workload import KindShare, ProtocolName

DISTINCT_REQUESTS = 1024
"""Enough that no cache of the server's processor sees the same row again soon; bounded, for images are large."""
DISTINCT_ASKED = 128
"""Instead, when the server is asked each of them before the load, one after the other."""
MOST_DISTINCT = 1 << 17
"""Instead, where a load says how many of its requests ask what was asked before: as many as it needs, up to this."""
DISTINCT_BYTES = 1 << 27
"""No more of them are made when they take so much together: every sending process holds them all."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What to send to a server, and how to be let in."""

    protocol: ProtocolName | None = None
    """None: by the URL, `oip-grpc` for `grpc://` and `oip` for `http://`."""
    access: Access = field(default_factory=Access)
    model: str | None = None
    """Name on the server; may be left out when it offers exactly one and lists it."""
    data: str | PathLike[str] | None = None
    """Rows to send; without, they are made from the server's metadata."""
    label: str | None = None
    """Column or array with the labels, so that it is not sent."""
    check: Check | None = None
    """What answers are held against; nothing when None."""
    lengths: tuple[LengthMix, ...] = ()
    """Of made rows, for dimensions that the model leaves open."""
    templates: tuple[TemplateShare, ...] = ()
    """`http`: the request files."""
    signature: str | None = None
    """`tf-serving`: one of the model's; its default one when None."""
    by_column: bool = False
    """`tf-serving`: in the columnar format."""
    distinct: int | None = None
    """Requests to prepare that all ask something else, of which there may be fewer; None: as many as `most_requests`
    says, and two of them may be equal where the data are."""
    management_url: str | None = None
    """`torchserve`: where models are listed; port 8081 of the host when None."""

    @property
    def is_checked_against_server(self) -> bool:
        """Whether the server's own answers before the load are what is expected."""
        return self.check is not None and self.check.expected == FROM_SERVER

    @property
    def most_requests(self) -> int:
        """How many different requests to prepare at most."""
        if self.is_checked_against_server:
            return DISTINCT_ASKED
        return DISTINCT_REQUESTS if self.distinct is None else self.distinct

    prompts: Prompts | None = None
    """`openai-*`: what is asked; made prompts when None."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Requests that are ready."""

    requests: Sequence[PreparedRequest]
    kinds: tuple[KindShare, ...] = ()
    """Of a mix of kinds; empty without one."""
    expectations: Expectations | None = None
    digest: str = ""
    """Of the data they are made from."""
    description: str | None = None
    """Of the data in words; None for made ones."""
    prompting: Prompting | None = None
    """What a language model is asked."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What can be asked of one model of one server."""

    protocol: ProtocolName
    model: str
    wiring: Wiring
    make: Callable[[Sequence[int], int], Prepared]
    """From the numbers of rows in a request (one for each size of the mix) and a seed to the requests."""
    signature: Signature | None = None
    """Of the model, where the protocol tells it."""

    def wired(self, prepared: Prepared) -> Wiring:
        """How these requests are sent and their answers read."""
        return replace(self.wiring, expectations=prepared.expectations)
