"""Reads the server's `/metrics`."""

import http.client
from urllib.parse import urlsplit

from modeldyno.clock import Clock
from modeldyno.errors import TargetError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.watching.look import look_at, reason_of
from modeldyno.records.observation import MetricSample
from modeldyno.wire.prometheus import Exposition, parse_exposition

EVERY_NS = 1_000_000_000
_ACCEPT = "text/plain;version=0.0.4"
_HINT = "name the page of the server's metrics, or leave it out: /metrics of the target is then read, if there is any"


def scrape(url: str, access: Access | None = None) -> Exposition:
    """What `url` exposes now; `/metrics` of it, when it has no path.

    Args:
        url: http or https, perhaps with a query.
        access: what lets us in.

    Raises:
        TargetError: it cannot be reached, does not answer 200, or holds no sample.
        UsageError: it is no such URL.
    """
    try:
        page = look_at(_page_of(url), access, accept=_ACCEPT)
    except (OSError, http.client.HTTPException) as problem:
        raise TargetError(f"cannot read metrics from {url}", why=reason_of(problem), hint=_HINT) from problem
    if page.status != 200:
        raise TargetError(f"cannot read metrics from {url}", why=f"status {page.status}", hint=_HINT)
    exposition = parse_exposition(page.content.decode("utf-8", "replace"))
    if not exposition.samples or exposition.unread_lines > len(exposition.samples):
        raise TargetError(f"{url} does not hold metrics in the text format of Prometheus", hint=_HINT)
    return exposition


def _page_of(url: str) -> str:
    has_page = url.partition("://")[2].partition("/")[1]
    return url if has_page else f"{url}/metrics"


def offered_metrics(target_url: str, access: Access | None = None) -> str | None:
    """The address of the server's metrics, when it has some where they usually are."""
    parts = urlsplit(target_url)
    url = f"{parts.scheme}://{parts.netloc}/metrics"
    try:
        scrape(url, access)
    except TargetError:
        return None
    return url


class Scraper:
    """Keeps what the server exposes; a scrape that fails is counted."""

    def __init__(self, url: str, *, clock: Clock, access: Access | None = None) -> None:
        self._url = url
        self._access = access
        self._clock = clock
        self._taken: list[tuple[int, Exposition]] = []
        self.failures = 0
        """Scrapes that gave nothing."""

    def sample(self) -> None:
        """Scrape once."""
        moment_ns = self._clock.now_ns()
        try:
            self._taken.append((moment_ns, scrape(self._url, self._access)))
        except TargetError:
            self.failures += 1

    def samples(self, start_ns: int) -> list[MetricSample]:
        """Every number so far, with moments since `start_ns` on the clock."""
        return [
            MetricSample(moment_ns - start_ns, one.name, one.labels, one.value, one.kind)
            for moment_ns, exposition in self._taken
            for one in exposition.samples
        ]
