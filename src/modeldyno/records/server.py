"""How a server listens, and what became of the requests it accepted."""

from typing import Literal

from modeldyno.records.base import Record


class TlsFiles(Record, frozen=True, kw_only=True):
    """PEM files for encrypted listeners; names, not contents."""

    certificate: str
    """The server's certificate and those between it and its authority."""
    key: str = ""
    """Its private key, when it is not in the same file."""
    client_authorities: str = ""
    """Whose client certificates are asked for; empty to ask for none."""


class ProtectionSettings(Record, frozen=True, kw_only=True):
    """Who gets in, and what is written down of it; file names, empty for none."""

    keys: str = ""
    """Made by `dyno keys`; with it, nobody gets in without a key."""
    audit: str = ""
    """Log of who asked for what."""
    audit_on_failure: Literal["refuse", "continue"] = "refuse"
    """What to do with requests while the log cannot be written, such as on a full disk."""
    audit_rotate_bytes: int = 100 * 10**6
    """A log of this size gets a number behind its name, and another begins."""
    shared_limits: str = ""
    """Where the processes of one server count together what keys may have computed in a second, made by
    `modeldyno.server.protection.shared_limits.SharedBuckets.create`; empty where there is one process."""


class RedisCache(Record, frozen=True, kw_only=True):
    """A Redis server in which several servers keep answers for one another, behind the cache of each."""

    host: str
    port: int = 6379
    database: int = 0
    user: str = ""
    """Empty for the default user."""
    password_variable: str = "DYNO_REDIS_PASSWORD"  # noqa: S105 - a name
    """Where in the environment the password is, if there is one: it is in no record."""
    tls: bool = False
    authorities: str = ""
    """PEM file with who may have signed its certificate; empty for those that the system trusts."""
    namespace: str = "modeldyno"
    """What all keys begin with."""
    limit_ns: int = 20 * 10**6
    """A request waits for no longer than this to hear whether its answer is there."""


class ServerSettings(Record, frozen=True, kw_only=True):
    """Where to listen, what to refuse, and how long to wait for whom."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port; the URL announced when ready has the real one."""
    server_timing: bool = False
    """Whether each answer carries its server-side times in a `Server-Timing` header."""
    max_body_bytes: int = 64 * 10**6
    """A larger request is refused with 413 before it is read."""
    max_connections: int = 1000
    """A further connection is answered with 503 and closed."""
    read_timeout_ns: int = 30 * 10**9
    """For the whole of one request to arrive, and for a client to take its answers."""
    idle_timeout_ns: int = 75 * 10**9
    """For a connection between two requests."""
    drain_timeout_ns: int = 30 * 10**9
    """For the accepted requests to be answered after the server was told to stop."""
    load_timeout_ns: int = 300 * 10**9
    """For a model to be opened and to answer its samples, when it is loaded while the server runs."""
    skip_broken: bool = False
    """Whether to start without the models that cannot be opened; else they keep the server from starting."""
    tls: TlsFiles | None = None
    """None for plain HTTP."""
    grpc_port: int | None = None
    """Where gRPC is answered, on `host`; 0 takes any free port, None: nowhere."""
    admin_port: int | None = None
    """Where load, unload, logging and tracing are answered, on `admin_host`; None: nowhere."""
    admin_host: str = "127.0.0.1"
    admin_grpc_port: int | None = None
    """Where the same is answered over gRPC, on `admin_host`; None: nowhere."""
    metrics_port: int | None = None
    """Where `/metrics` is answered, on `host`, instead of on `port`; None: on `port`."""
    workers: int = 1
    """Processes that answer. Of several, each opens the models itself, and one more process accepts for them all."""
    worker_silence_ns: int = 30 * 10**9
    """A worker process whose loop does not turn for so long is killed, and another started."""
    redis: RedisCache | None = None
    """Where answers are kept for other servers too; None: nowhere."""


class ServedBundle(Record, frozen=True, kw_only=True):
    """One version of a model that a server opened."""

    name: str
    """On the server."""
    version: str
    label: str
    """How it is served, in a few words."""
    path: str
    """Where it was found."""


class ServerAccount(Record, frozen=True, kw_only=True):
    """What became of the inference requests: `accepted == answered + failed + cancelled + expired + lost`."""

    accepted: int
    """Decoded and admitted to the queue."""
    answered: int
    """Answered with a result."""
    failed: int
    """Answered with an error: the model raised, or gave what cannot be sent."""
    cancelled: int
    """The client went away, or the server stopped waiting, before there was an answer."""
    refused: int
    """Never accepted: not a valid request, the queue was full, or its deadline could not be met."""
    expired: int = 0
    """Its deadline passed, in the queue or while it was computed."""
    lost: int = 0
    """The instance that computed it hung, or none was left to compute it."""

    @property
    def unaccounted(self) -> int:
        """Accepted requests of which it is not known what became; anything but 0 is a defect of the server."""
        return self.accepted - self.answered - self.failed - self.cancelled - self.expired - self.lost
