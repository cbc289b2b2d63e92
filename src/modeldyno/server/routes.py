"""From an HTTP request to what answers it: the endpoints of the Open Inference Protocol v2."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from modeldyno.errors import DynoError
from modeldyno.server.exchange import Exchange
from modeldyno.server.metrics.routes import answer_metrics
from modeldyno.server.plane import Plane
from modeldyno.server.repository.lifecycle import ModelControl, state_of
from modeldyno.server.rights import is_administration, segments_of
from modeldyno.server.served import Service
from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_request import HttpRequest
from modeldyno.wire.v2_documents import (
    LIVE,
    NOT_READY,
    READY,
    check_change,
    decode_index_filter,
    encode_index,
    encode_model_metadata,
    encode_model_ready,
    encode_server_metadata,
)
from modeldyno.wire.v2_model_config import encode_model_config
from modeldyno.wire.v2_settings import (
    check_trace_update,
    decode_log_update,
    encode_log_settings,
    encode_trace_settings,
)
from modeldyno.wire.v2_statistics import encode_statistics

_READ = (b"GET", b"HEAD")
_POST = (b"POST",)
_READ_AND_POST = (*_READ, *_POST)
_HEADER_LENGTH = b"inference-header-content-length"

Action = Callable[[Exchange], None]
_Endpoint = tuple[tuple[bytes, ...], Action | None]


class Router:
    """Answers every request: with the endpoint's answer, or with 404 or 405 and why.

    Args:
        plane: the models.
        version: of this server.
        opens_admin: whether load, unload, logging and tracing are answered here; else they are refused with 403.
        has_metrics: whether `/metrics` is answered here; else it is not found.
        control: loads and unloads models; None: what is served stays as it is.
    """

    def __init__(
        self,
        plane: Plane,
        *,
        version: str,
        opens_admin: bool = False,
        has_metrics: bool = True,
        control: ModelControl | None = None,
    ) -> None:
        self._plane = plane
        self._opens_admin = opens_admin
        self._has_metrics = has_metrics
        self._control = control
        self._metadata = encode_server_metadata("modeldyno", version, is_controlled=control is not None)
        self._infer_targets = plane.infer_targets

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """Answer now, or arrange for it."""
        service = self._infer_targets.get(request.target)
        if service is not None and request.method == b"POST":
            _infer(service, request, exchange)
            return
        path = request.target.partition(b"?")[0].decode("latin-1")
        segments = segments_of(request.target)
        if not self._opens_admin and is_administration(request.method, segments):
            exchange.refuse(403, "load, unload, logging and tracing are for the admin port: dyno serve --admin-port")
            return
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
            case ["v2", "repository", *rest]:
                endpoint = _POST, self._find_in_repository(rest, request)
            case ["v2", "logging"]:
                endpoint = (_READ_AND_POST, partial(self._answer_logging, request))
            case ["v2", "trace", "setting"]:
                endpoint = (_READ_AND_POST, partial(_answer_trace, request))
            # The second is unmistakable where a model is called so.
            case ["v2", "models", "stats"] | ["v2", "models", "", "stats"] if (
                len(segments) == 4 or self._plane.find("stats") is None
            ):
                endpoint = (_READ, partial(_answer_statistics, list(self._plane), with_members=True))
            case ["v2", "models", name, "versions", version, *rest]:
                endpoint = self._find_model(name, version, rest, request)
            case ["v2", "models", name, *rest]:
                endpoint = self._find_model(name, None, rest, request)
            case _:
                is_metrics = self._has_metrics and segments == ["metrics"]
                endpoint = (_READ, partial(answer_metrics, self._plane.metrics, request) if is_metrics else None)
        return endpoint

    def _find_in_repository(self, rest: list[str], request: HttpRequest) -> Action | None:
        match rest:
            case ["index"]:
                return partial(self._answer_index, request)
            case ["models", name, "load" | "unload" as verb] if self._control is not None:
                return partial(_change, self._control, name, verb, request)
            case _:
                return None

    def _find_model(self, name: str, version: str | None, rest: list[str], request: HttpRequest) -> _Endpoint:
        if rest not in ([], ["ready"], ["infer"], ["stats"], ["config"], ["trace", "setting"]):
            return _READ, None
        service = self._plane.find(name, version)
        if service is None:
            return (request.method,), partial(self._answer_unknown, name, version)
        match rest:
            case ["infer"]:
                endpoint: _Endpoint = (_POST, partial(_infer, service, request))
            case ["ready"]:
                endpoint = (_READ, partial(self._answer_model_ready, service))
            case ["config"]:
                endpoint = (_READ, partial(_answer_config, service))
            case ["trace", "setting"]:
                endpoint = (_READ_AND_POST, partial(_answer_trace, request))
            case ["stats"]:
                of_name = [one for one in self._plane if one.model.name == name]
                endpoint = (_READ, partial(_answer_statistics, of_name if version is None else [service]))
            case _:
                endpoint = (_READ, partial(self._answer_model, service))
        return endpoint

    def _answer_unknown(self, name: str, version: str | None, exchange: Exchange) -> None:
        versions = self._plane.versions(name)
        if versions:
            exchange.refuse(404, f"model {name!r} has no version {version!r}, only {', '.join(versions)}")
            return
        if self._plane.has_left(name):
            exchange.refuse(404, f"model {name!r} has no available versions: it was unloaded")  # as Triton
            return
        if exchange.visit is not None:
            exchange.refuse(404, f"unknown model {name!r}")  # whose key it is may not know what else is served
            return
        served = ", ".join(sorted({repr(service.model.name) for service in self._plane}))
        exchange.refuse(404, f"unknown model {name!r}; served here: {served}")

    def _answer_metadata(self, exchange: Exchange) -> None:
        exchange.respond(200, self._metadata)

    def _answer_ready(self, exchange: Exchange) -> None:
        is_ready = self._plane.is_ready and all(service.is_able for service in self._plane)
        exchange.respond(200 if is_ready else 503, READY if is_ready else NOT_READY)

    def _answer_model_ready(self, service: Service, exchange: Exchange) -> None:
        is_ready = self._plane.is_ready and service.is_able
        exchange.respond(200 if is_ready else 503, encode_model_ready(service.model.name, ready=is_ready))

    def _answer_logging(self, request: HttpRequest, exchange: Exchange) -> None:
        log = self._plane.log
        if request.method == b"POST":
            try:
                log.turn(decode_log_update(log.settings, request.body))
            except WireError as problem:
                exchange.refuse(problem.status, problem.message)
                return
        exchange.respond(200, encode_log_settings(log.settings))

    def _answer_model(self, service: Service, exchange: Exchange) -> None:
        model = service.model
        exchange.respond(
            200,
            encode_model_metadata(model.name, self._plane.versions(model.name), model.platform, model.signature),
        )

    def _answer_index(self, request: HttpRequest, exchange: Exchange) -> None:
        try:
            only_ready = decode_index_filter(request.body)
        except WireError as problem:
            exchange.refuse(problem.status, problem.message)
            return
        control = self._control
        try:
            models = [state_of(service) for service in self._plane] if control is None else control.index()
        except DynoError as problem:
            exchange.refuse(500, problem.what)
            return
        if not self._plane.is_ready:
            models = [one._replace(state="UNAVAILABLE", reason="shutting down") for one in models]
        exchange.respond(200, encode_index(one for one in models if one.state == "READY" or not only_ready))


def _answer_live(exchange: Exchange) -> None:
    exchange.respond(200, LIVE)


def _change(
    control: ModelControl, name: str, verb: Literal["load", "unload"], request: HttpRequest, exchange: Exchange
) -> None:
    def done(problem: str | None, status: int) -> None:
        if problem is None:
            exchange.respond(200, b"{}")
        else:
            exchange.refuse(status, problem)

    try:
        check_change(verb, request.body)
    except WireError as problem:
        exchange.refuse(problem.status, problem.message)
        return
    if verb == "load":
        control.load(name, done)
    else:
        control.unload(name, done)


def _answer_trace(request: HttpRequest, exchange: Exchange) -> None:
    if request.method == b"POST":
        try:
            check_trace_update(request.body)
        except WireError as problem:
            exchange.refuse(problem.status, problem.message)
            return
    exchange.respond(200, encode_trace_settings())


def _answer_config(service: Service, exchange: Exchange) -> None:
    exchange.respond(200, encode_model_config(service.config()))


def _answer_statistics(services: Sequence[Service], exchange: Exchange, *, with_members: bool = False) -> None:
    found = [service.statistics() for service in services]
    if with_members:  # who asks for one model gets that alone
        found += [one for service in services for one in service.member_statistics()]
    exchange.respond(200, encode_statistics(found))


def _infer(service: Service, request: HttpRequest, exchange: Exchange) -> None:
    text = request.headers.get(_HEADER_LENGTH)
    if text is not None and not (text.isdigit() and len(text) < 20):
        exchange.refuse(400, f"Inference-Header-Content-Length is {text.decode('latin-1')!r}, not a number of bytes")
        return
    call = service.infer(
        request.body,
        None if text is None else int(text),
        started_ns=exchange.started_ns,
        reply=exchange.reply,
        deadline_ns=exchange.deadline_ns,
        visit=exchange.visit,
    )
    if call is not None:
        exchange.abandoned = partial(service.cancel, call)
