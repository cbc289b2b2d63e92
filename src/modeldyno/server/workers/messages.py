"""What the supervisor and its workers tell each other, one message in each packet of their link."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from modeldyno.records.server import ServedBundle, ServerAccount
from modeldyno.server.network.doors import DoorName
from modeldyno.wire.v2_settings import LogSettings

Verb = Literal["load", "unload"]


class Adopt(msgspec.Struct, frozen=True, tag=True):
    """A connection comes with this message."""

    door: DoorName


class Stop(msgspec.Struct, frozen=True, tag=True):
    """No connection comes any more: drain; the second time, end at once."""


class Renew(msgspec.Struct, frozen=True, tag=True):
    """Read certificate and key again."""


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Make ready to load a model, and answer `Prepared`; change nothing yet."""

    change: int
    name: str


class Commit(msgspec.Struct, frozen=True, tag=True):
    """All are ready: put what was prepared in place of what is served, and answer `Changed`."""

    change: int


class Abandon(msgspec.Struct, frozen=True, tag=True):
    """One was not ready: forget what was prepared, if anything was."""

    change: int


class Unload(msgspec.Struct, frozen=True, tag=True):
    """Serve a model no more, and answer `Changed`."""

    change: int
    name: str


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What became of an `Ask` of this worker."""

    question: int
    problem: str | None
    status: int


class Turn(msgspec.Struct, frozen=True, tag=True):
    """Log from now on what the settings say."""

    settings: LogSettings


class Started(msgspec.Struct, frozen=True, tag=True):
    """Connections can come."""

    served: Sequence[ServedBundle]
    """Everything that it opened."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It cannot start: the parts of a `DynoError`."""

    kind: str
    what: str
    why: str
    hint: str


class Beat(msgspec.Struct, frozen=True, tag=True):
    """The loop turns."""

    account: ServerAccount
    """So far; requests on their way are unaccounted."""
    is_ready: bool


class Adopted(msgspec.Struct, frozen=True, tag=True):
    """The connection that came first of those not yet told of is here, and nothing of it was read."""


class Closed(msgspec.Struct, frozen=True, tag=True):
    """A connection that came by this door is gone."""

    door: DoorName


class Leaving(msgspec.Struct, frozen=True, tag=True):
    """It was told to end by somebody else: send no more connections, and then `Stop`."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """It has drained, and ends."""

    account: ServerAccount


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A client wants this of all workers."""

    question: int
    verb: Verb
    name: str


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Prepare`; without a problem, it waits for `Commit` or `Abandon`."""

    change: int
    problem: str | None
    status: int


class Changed(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Commit` and to `Unload`."""

    change: int
    problem: str | None
    status: int
    served: Sequence[ServedBundle] = ()
    """Of what was loaded: all its versions."""


class Turned(msgspec.Struct, frozen=True, tag=True):
    """A client changed what is logged, here; the other workers are to do the same."""

    settings: LogSettings


ToWorker: TypeAlias = Adopt | Stop | Renew | Prepare | Commit | Abandon | Unload | Answer | Turn
FromWorker: TypeAlias = Started | Failed | Beat | Adopted | Closed | Leaving | Done | Ask | Prepared | Changed | Turned
