"""Reads what a server counts for a model: the statistics extension of Triton's protocol, over HTTP."""

import http.client
from urllib.parse import quote

from modeldyno.clock import Clock
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.watching.look import look_at, reason_of
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.stats.activity import StatisticsLook
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_statistics import decode_statistics

EVERY_NS = 1_000_000_000


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
    path = f"/v2/models/{quote(model, safe='')}/stats"
    try:
        page = look_at(url.rstrip("/") + path, access)
        versions = decode_statistics(page.content) if page.status == 200 else ()
    except (OSError, http.client.HTTPException, WireError) as problem:
        raise TargetError(f"cannot read the statistics of {model!r} from {url}", why=reason_of(problem)) from problem
    found = tuple(one for one in versions if one.name == model)
    if not found:
        raise TargetError(f"{url} keeps no statistics of the model {model!r}", why=f"status {page.status}")
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
