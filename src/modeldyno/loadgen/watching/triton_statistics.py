"""Reads what a server counts for a model: the statistics extension of Triton's protocol, over HTTP."""

import http.client
from urllib.parse import quote, urlsplit

from modeldyno.clock import Clock
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access, tls_context
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.stats.activity import StatisticsLook
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_statistics import decode_statistics

EVERY_NS = 1_000_000_000
_TIMEOUT_S = 2.0
_MOST_BYTES = 16 * 1024 * 1024


def fetch_statistics(url: str, model: str, access: Access | None = None) -> tuple[ModelStatistics, ...]:
    """The counts of every version of `model` so far.

    Args:
        url: base URL of the server, http or https.
        model: its name there.
        access: keys and certificates.

    Raises:
        TargetError: the server cannot be reached or keeps no statistics of the model.
        UsageError: the URL is of another kind.
    """
    connection, base_path = _connection(url, access or Access())
    path = f"{base_path}/v2/models/{quote(model, safe='')}/stats"
    try:
        connection.request("GET", path, headers=dict((access or Access()).headers))
        answer = connection.getresponse()
        content = answer.read(_MOST_BYTES)
        versions = decode_statistics(content) if answer.status == 200 else ()
    except (OSError, http.client.HTTPException, WireError) as problem:
        why = str(problem) or type(problem).__name__
        raise TargetError(f"cannot read the statistics of {model!r} from {url}", why=why) from problem
    finally:
        connection.close()
    found = tuple(one for one in versions if one.name == model)
    if not found:
        raise TargetError(f"{url} keeps no statistics of the model {model!r}", why=f"status {answer.status}")
    return found


def keeps_statistics(url: str, model: str, access: Access | None = None) -> bool:
    """Whether the server does."""
    try:
        fetch_statistics(url, model, access)
    except (TargetError, UsageError):
        return False
    return True


class StatisticsReader:
    """Keeps what the server counts for a model; a look that fails is counted."""

    def __init__(self, url: str, model: str, *, clock: Clock, access: Access | None = None) -> None:
        self._url = url
        self._model = model
        self._clock = clock
        self._access = access
        self._taken: list[tuple[int, tuple[ModelStatistics, ...]]] = []
        self.failures = 0
        """Looks that gave nothing."""

    def sample(self) -> None:
        """Look once."""
        try:
            versions = fetch_statistics(self._url, self._model, self._access)
        except TargetError:
            self.failures += 1
            return
        self._taken.append((self._clock.now_ns(), versions))

    def looks(self, start_ns: int) -> list[StatisticsLook]:
        """All so far, with moments since `start_ns` on the clock."""
        return [StatisticsLook(moment_ns - start_ns, versions) for moment_ns, versions in self._taken]


def _connection(url: str, access: Access) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    base_path = parts.path.rstrip("/")
    if parts.scheme == "http" and parts.hostname:
        return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S), base_path
    if parts.scheme == "https" and parts.hostname:
        context = tls_context(access.encryption(parts.hostname))
        host, port = parts.hostname, parts.port or 443
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context), base_path
    raise UsageError(f"{url!r} is not an http:// or https:// URL", hint="for example http://127.0.0.1:8000")
