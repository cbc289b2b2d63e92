"""`GET /metrics`, on the main port or on one of its own."""

from modeldyno.server.exchange import Exchange
from modeldyno.server.metrics.metrics import Metrics
from modeldyno.server.rights import segments_of
from modeldyno.wire.http1_request import HttpRequest
from modeldyno.wire.prometheus import OPENMETRICS, TEXT, prefers_openmetrics


def answer_metrics(metrics: Metrics, request: HttpRequest, exchange: Exchange) -> None:
    """Answer in the format that the request's `Accept` prefers."""
    openmetrics = prefers_openmetrics(request.headers.get(b"accept", b""))
    exchange.show(metrics.page(openmetrics=openmetrics), OPENMETRICS if openmetrics else TEXT)


class MetricsRouter:
    """A `Handler` that knows nothing but the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """See `Handler`."""
        if segments_of(request.target) != ["metrics"]:
            exchange.refuse(404, "on this port there is nothing but /metrics")
        elif request.method not in (b"GET", b"HEAD"):
            exchange.refuse(405, "the metrics can be read only", b"Allow: GET, HEAD\r\n")
        else:
            answer_metrics(self._metrics, request, exchange)
