"""From an HTTP request to what answers it: the endpoints of the Open Inference Protocol v2."""

from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import quote, unquote

import msgspec

from modeldyno.server.exchange import Exchange
from modeldyno.server.plane import Plane
from modeldyno.server.service import ModelService
from modeldyno.wire.http1_request import HttpRequest
from modeldyno.wire.v2_documents import (
    LIVE,
    NOT_READY,
    READY,
    encode_index,
    encode_model_metadata,
    encode_server_metadata,
)
from modeldyno.wire.v2_statistics import encode_statistics

_READ = (b"GET", b"HEAD")
_POST = (b"POST",)
_HEADER_LENGTH = b"inference-header-content-length"

Action = Callable[[Exchange], None]
_Endpoint = tuple[tuple[bytes, ...], Action | None]


class Router:
    """Answers every request: with the endpoint's answer, or with 404 or 405 and why."""

    def __init__(self, plane: Plane, *, version: str) -> None:
        self._plane = plane
        self._metadata = encode_server_metadata("modeldyno", version)
        # The paths that nearly all requests have, so that they are not taken apart each time.
        self._infer_targets = {
            target.encode(): service for service in plane for target in _infer_targets(plane, service)
        }

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """Answer now, or arrange for it."""
        service = self._infer_targets.get(request.target)
        if service is not None and request.method == b"POST":
            _infer(service, request, exchange)
            return
        path = request.target.partition(b"?")[0].decode("latin-1")
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        methods, action = self._find(segments, request)
        if action is None:
            exchange.refuse(404, f"nothing is served at {path!r}")
        elif request.method not in methods:
            allowed = b", ".join(methods)
            exchange.refuse(
                405,
                f"{request.method.decode('latin-1')} is not possible at {path!r}, only {allowed.decode()}",
                b"Allow: %b\r\n" % allowed,
            )
        else:
            action(exchange)

    def _find(self, segments: list[str], request: HttpRequest) -> _Endpoint:
        match segments:
            case ["v2"]:
                endpoint: _Endpoint = (_READ, self._answer_metadata)
            case ["v2", "health", "live"]:
                endpoint = (_READ, _answer_live)
            case ["v2", "health", "ready"]:
                endpoint = (_READ, self._answer_ready)
            case ["v2", "repository", "index"]:
                endpoint = (_POST, partial(self._answer_index, request))
            case ["v2", "models", "stats"] if self._plane.find("stats") is None:
                endpoint = (_READ, partial(_answer_statistics, list(self._plane)))
            case ["v2", "models", name, "versions", version, *rest]:
                endpoint = self._find_model(name, version, rest, request)
            case ["v2", "models", name, *rest]:
                endpoint = self._find_model(name, None, rest, request)
            case _:
                endpoint = (_READ, None)
        return endpoint

    def _find_model(self, name: str, version: str | None, rest: list[str], request: HttpRequest) -> _Endpoint:
        if rest not in ([], ["ready"], ["infer"], ["stats"]):
            return _READ, None
        service = self._plane.find(name, version)
        if service is None:
            return (request.method,), partial(self._answer_unknown, name, version)
        match rest:
            case ["infer"]:
                return _POST, partial(_infer, service, request)
            case ["ready"]:
                return _READ, self._answer_ready
            case ["stats"]:
                of_name = [one for one in self._plane if one.model.name == name]
                return _READ, partial(_answer_statistics, of_name if version is None else [service])
            case _:
                return _READ, partial(self._answer_model, service)

    def _answer_unknown(self, name: str, version: str | None, exchange: Exchange) -> None:
        versions = self._plane.versions(name)
        if versions:
            exchange.refuse(404, f"model {name!r} has no version {version!r}, only {', '.join(versions)}")
            return
        served = ", ".join(sorted({repr(service.model.name) for service in self._plane}))
        exchange.refuse(404, f"unknown model {name!r}; served here: {served}")

    def _answer_metadata(self, exchange: Exchange) -> None:
        exchange.respond(200, self._metadata)

    def _answer_ready(self, exchange: Exchange) -> None:
        if self._plane.is_ready:
            exchange.respond(200, READY)
        else:
            exchange.respond(503, NOT_READY)

    def _answer_model(self, service: ModelService, exchange: Exchange) -> None:
        model = service.model
        exchange.respond(
            200,
            encode_model_metadata(model.name, self._plane.versions(model.name), model.platform, model.signature),
        )

    def _answer_index(self, request: HttpRequest, exchange: Exchange) -> None:
        try:
            filters = msgspec.json.decode(request.body, type=dict[str, bool]) if request.body else {}
        except msgspec.MsgspecError as problem:
            exchange.refuse(400, f"not a valid index request: {problem}")
            return
        ready = self._plane.is_ready
        models = [(service.model.name, service.model.version) for service in self._plane]
        exchange.respond(200, encode_index([] if filters.get("ready") and not ready else models, ready=ready))


def _answer_live(exchange: Exchange) -> None:
    exchange.respond(200, LIVE)


def _answer_statistics(services: Sequence[ModelService], exchange: Exchange) -> None:
    exchange.respond(200, encode_statistics(service.statistics() for service in services))


def _infer(service: ModelService, request: HttpRequest, exchange: Exchange) -> None:
    text = request.headers.get(_HEADER_LENGTH)
    if text is not None and not (text.isdigit() and len(text) < 20):
        exchange.refuse(400, f"Inference-Header-Content-Length is {text.decode('latin-1')!r}, not a number of bytes")
        return
    call = service.infer(
        request.body, None if text is None else int(text), started_ns=exchange.started_ns, reply=exchange.reply
    )
    if call is not None:
        exchange.abandoned = partial(service.cancel, call)


def _infer_targets(plane: Plane, service: ModelService) -> list[str]:
    base = f"/v2/models/{quote(service.model.name, safe='')}"
    targets = [f"{base}/versions/{quote(service.model.version, safe='')}/infer"]
    return [*targets, f"{base}/infer"] if plane.find(service.model.name) is service else targets
