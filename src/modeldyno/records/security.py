"""Who may ask a server for what, and the record of who did."""

from typing import Literal

from modeldyno.records.base import Record

Verb = Literal["infer", "metadata", "statistics", "metrics", "admin"]
"""What a key may be allowed; `admin` is load, unload, logging and tracing."""

ALL_MODELS = "*"


class Scope(Record, frozen=True, kw_only=True):
    """Verbs allowed on the models whose names match a pattern."""

    models: str
    """Shell pattern: `digits`, `team-*`, `*` for all."""
    verbs: tuple[Verb, ...]

    @property
    def text(self) -> str:
        """As it is typed: `team-*:infer,metadata`."""
        return f"{self.models}:{','.join(self.verbs)}"


class Key(Record, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: str
    """Public: it is the part of the key between the first and the second underscore."""
    name: str
    """Whom or what it is for."""
    scopes: tuple[Scope, ...]
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    rows_per_s: float | None = None
    """Rows a second that may be computed in the long run; None for no limit."""
    burst_rows: int = 0
    """Rows that may come at once under `rows_per_s`."""
    rows_per_day: int | None = None
    """Rows that may be answered in one UTC day; None for no limit."""
    rows_today: int = 0
    """Answered since UTC midnight."""


class KeyList(Record, frozen=True, kw_only=True):
    """All keys of a file; `dyno keys list --json` prints it."""

    schema: Literal["modeldyno.keys/1"] = "modeldyno.keys/1"
    keys: tuple[Key, ...]


class NewKey(Record, frozen=True, kw_only=True):
    """A key just made, with the secret that is shown this once; `dyno keys create --json` prints it."""

    schema: Literal["modeldyno.new_key/1"] = "modeldyno.new_key/1"
    key: Key
    secret: str
    """The whole key, as a client sends it."""

    def __repr__(self) -> str:
        return f"NewKey(key={self.key!r}, secret=hidden)"


AuditOutcome = Literal["answered", "refused", "failed", "expired", "cancelled"]
AuditEvent = Literal["opened", "request", "gap", "rotated", "closed"]


class AuditLine(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an audit log. It never holds what was asked or answered."""

    n: int
    """Number of the line, from 1, through all files of the log."""
    at: str
    """When the line was written, UTC: at most a second after the request ended."""
    event: AuditEvent = "request"
    key: str = ""
    """Id of the API key; empty for a client without a valid one."""
    verb: str = ""
    model: str = ""
    digest: str = ""
    """Of the request's body as it came; empty when it had none."""
    outcome: AuditOutcome | Literal[""] = ""
    status: int = 0
    """HTTP status."""
    rows: int = 0
    lost: int = 0
    """Of a gap: requests of which there is no line."""
    torn: bool = False
    """Of an opened line: the lines before it are a part only, for their writer was killed."""
    worker: int = 0
    """Of an opened line: number of the process among those of its server. It tells apart chains that begin alike."""
    before: str = ""
    """SHA-256 of all lines from the last one with such a hash to the line before, as they are in their files, without
    the last newline; zeros for the first of all. Of the lines that were written at once, the last has it."""


class AuditBreak(Record, frozen=True, kw_only=True):
    """The first place where a log is not what was written."""

    file: str
    line: int
    """Of the file, from 1."""
    why: str


class AuditChain(Record, frozen=True, kw_only=True):
    """What a check found in the files that one process wrote."""

    files: tuple[str, ...]
    lines: int
    requests: int
    first: int
    """Number of the first line; 1 unless older files were not given."""
    last: int
    head: str
    """SHA-256 of the last line: kept elsewhere, it shows that nothing was cut off up to here."""
    lost: int
    """Requests that the log says it has no line of."""
    torn: int
    """Writes cut short by a kill, which the line after admits."""
    is_closed: bool
    """Whether the last line is that of a server that ended in order."""
    broken: AuditBreak | None


class AuditReport(Record, frozen=True, kw_only=True):
    """What a check of an audit log found; `dyno audit --json` prints it."""

    schema: Literal["modeldyno.audit/1"] = "modeldyno.audit/1"
    files: tuple[str, ...]
    lines: int
    requests: int
    first: int
    """Of the first process; see `AuditChain`."""
    last: int
    """Of the first process."""
    head: str
    """Of the first process; those of others are in `chains`."""
    lost: int
    """Requests that the log says it has no line of."""
    torn: int
    """Writes cut short by a kill, which the line after admits."""
    is_closed: bool
    """Whether the last line of each process is that of a server that ended in order."""
    broken: AuditBreak | None
    """The first of all."""
    chains: tuple[AuditChain, ...] = ()
    """One for each process that wrote."""
