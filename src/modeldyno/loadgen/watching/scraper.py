"""Reads the server's `/metrics`."""

import http.client
from urllib.parse import urlsplit

from modeldyno.clock import Clock
from modeldyno.errors import TargetError, UsageError
from modeldyno.records.observation import MetricSample
from modeldyno.wire.prometheus import Exposition, parse_exposition

EVERY_NS = 1_000_000_000
_TIMEOUT_S = 2.0
_MOST_BYTES = 16 * 1024 * 1024
_ACCEPT = "text/plain;version=0.0.4"


def scrape(url: str) -> Exposition:
    """What `url` exposes now.

    Raises:
        TargetError: it cannot be reached, does not answer 200, or holds no sample.
        UsageError: it is not an http:// URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"{url!r} is not an http:// URL", hint="for example http://127.0.0.1:8000/metrics")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/metrics", headers={"Accept": _ACCEPT})
        answer = connection.getresponse()
        content = answer.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException) as problem:
        why = str(problem) or type(problem).__name__
        raise TargetError(f"cannot read metrics from {url}", why=why) from problem
    finally:
        connection.close()
    if answer.status != 200:
        raise TargetError(f"cannot read metrics from {url}", why=f"status {answer.status}")
    exposition = parse_exposition(content.decode("utf-8", "replace"))
    if not exposition.samples or exposition.unread_lines > len(exposition.samples):
        raise TargetError(f"{url} does not hold metrics in the text format of Prometheus")
    return exposition


def offered_metrics(target_url: str) -> str | None:
    """The address of the server's metrics, when it has some where they usually are."""
    parts = urlsplit(target_url)
    url = f"{parts.scheme}://{parts.netloc}/metrics"
    try:
        scrape(url)
    except TargetError:
        return None
    return url


class Scraper:
    """Keeps what the server exposes; a scrape that fails is counted."""

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._taken: list[tuple[int, Exposition]] = []
        self.failures = 0
        """Scrapes that gave nothing."""

    def sample(self) -> None:
        """Scrape once."""
        moment_ns = self._clock.now_ns()
        try:
            self._taken.append((moment_ns, scrape(self._url)))
        except TargetError:
            self.failures += 1

    def samples(self, start_ns: int) -> list[MetricSample]:
        """Every number so far, with moments since `start_ns` on the clock."""
        return [
            MetricSample(moment_ns - start_ns, one.name, one.labels, one.value, one.kind)
            for moment_ns, exposition in self._taken
            for one in exposition.samples
        ]
