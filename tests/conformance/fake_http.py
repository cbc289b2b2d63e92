"""A conforming server of HTTP on plain sockets, which can be given defects; it shares no code with the checker."""

import gzip
import json
import socketserver
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import numpy as np
from tests.conformance.fake_model import (
    MODELS,
    VERSIONS,
    WITHOUT_JSON,
    Arrays,
    Model,
    RefusedError,
    check_shape,
    from_bytes,
    parse_json,
    read_inputs,
    refuse_unless,
    to_bytes,
    wanted_outputs,
)

EXTENSIONS = ["binary_tensor_data", "statistics", "model_configuration", "model_repository", "logging", "trace"]
SMALL = 1_000


@dataclass
class Request:
    verb: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The JSON of the body as far as there is any."""
        length = self.headers.get("inference-header-content-length", "")
        try:
            return json.loads(self.body[: int(length)] if length.isdigit() else self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def is_infer(self) -> bool:
        return self.path.endswith("/infer")


@dataclass
class Reply:
    status: int
    document: Any = None
    tails: list[bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Instead of the document."""


@dataclass(frozen=True)
class Defect:
    """What is wrong with a server."""

    before: Callable[[Request], Request] | None = None
    after: Callable[[Request, Reply], Reply | None] | None = None
    """None closes the connection."""
    switch: str = ""
    """A defect of the connection; see `_Handler`."""


class FakeServer:
    """The endpoints."""

    def __init__(self, defect: Defect | None = None) -> None:
        self.defect = defect or Defect()
        self.counts = {name: [0, 0] for name in MODELS}
        self.lock = threading.Lock()

    def answer(self, request: Request) -> Reply | None:
        if self.defect.before is not None:
            request = self.defect.before(request)
        try:
            reply = self._route(request)
        except RefusedError as problem:
            reply = Reply(problem.status, {"error": str(problem)})
        return reply if self.defect.after is None else self.defect.after(request, reply)

    def _route(self, request: Request) -> Reply:  # noqa: PLR0911 - an endpoint each
        segments = [unquote(part) for part in request.path.strip("/").split("/")]
        match segments:
            case ["v2"]:
                return _get(request, {"name": "fake", "version": "1.0", "extensions": EXTENSIONS})
            case ["v2", "health", "live"]:
                return _get(request, {"live": True})
            case ["v2", "health", "ready"]:
                return _get(request, {"ready": True})
            case ["v2", "repository", "index"]:
                return Reply(200, [{"name": name, "version": "2", "state": "READY"} for name in MODELS])
            case ["v2", "logging"] | ["v2", "trace", "setting"]:
                return _get(request, {"level": "1"})
            case ["v2", "models", "stats"]:
                return _get(request, {"model_stats": [self._statistics(name) for name in MODELS]})
            case ["v2", "models", name, "versions", version, *rest]:
                if name in MODELS and version not in VERSIONS:
                    raise RefusedError("unknown version", 404)
                return self._model(request, name, version, rest)
            case ["v2", "models", name, *rest]:
                return self._model(request, name, VERSIONS[-1], rest)
        raise RefusedError("nothing here", 404)

    def _model(self, request: Request, name: str, version: str, rest: list[str]) -> Reply:
        if name not in MODELS:
            raise RefusedError("unknown model", 404)
        model = MODELS[name]
        match rest:
            case []:
                described = {"inputs": _described(model.inputs), "outputs": _described(model.outputs)}
                return _get(request, {"name": name, "versions": VERSIONS, "platform": "fake", **described})
            case ["ready"]:
                return _get(request, {"name": name, "ready": True})
            case ["stats"]:
                return _get(request, {"model_stats": [self._statistics(name)]})
            case ["config"]:
                return _get(request, _configuration(name, model))
            case ["infer"] if request.verb != "POST":
                return _wrong_verb("POST")
            case ["infer"]:
                return self._infer(request, name, version)
        raise RefusedError("nothing here", 404)

    def _statistics(self, name: str) -> dict[str, Any]:
        rows, requests = self.counts[name]
        pair = {"count": requests, "ns": requests * 1000}
        members = ("success", "queue", "compute_input", "compute_infer", "compute_output")
        return {
            "name": name, "version": "2", "inference_count": rows, "execution_count": requests,
            "inference_stats": {"fail": {"count": 0, "ns": 0}, **dict.fromkeys(members, pair)},
        }  # fmt: skip

    def _infer(self, request: Request, name: str, version: str) -> Reply:
        model, body = MODELS[name], _decoded(request)
        length = request.headers.get("inference-header-content-length")
        if length is None:
            document = parse_json(body)
            inputs = read_inputs(model, document, b"")
        else:
            refuse_unless(length.isdigit() and int(length) <= len(body), "a bad header length")
            if length == "0":
                document, inputs = _raw(model, body)
            else:
                document = parse_json(body[: int(length)])
                inputs = read_inputs(model, document, body[int(length) :])
        wishes = wanted_outputs(model, document)
        with np.errstate(all="ignore"):
            outputs = model.compute(inputs)
        answered = {"model_name": name, "model_version": version}
        if "id" in document:
            answered["id"] = document["id"]
        reply = _encoded(answered, outputs, wishes)
        with self.lock:
            self.counts[name][0] += len(next(iter(inputs.values())))
            self.counts[name][1] += 1
        return _compressed(request, reply)


def _get(request: Request, document: Any) -> Reply:
    return Reply(200, document) if request.verb in ("GET", "HEAD") else _wrong_verb("GET, HEAD")


def _wrong_verb(allowed: str) -> Reply:
    return Reply(405, {"error": "wrong verb"}, headers={"Allow": allowed})


def _described(specs: Any) -> list[dict[str, Any]]:
    return [{"name": name, "datatype": datatype, "shape": shape} for name, datatype, shape in specs]


def _configuration(name: str, model: Model) -> dict[str, Any]:
    return {
        "name": name, "platform": "fake", "max_batch_size": 8,
        "input": [{"name": one, "data_type": f"TYPE_{kind}", "dims": shape[1:]} for one, kind, shape in model.inputs],
        "output": [{"name": one, "data_type": f"TYPE_{kind}", "dims": shape[1:]} for one, kind, shape in model.outputs],
    }  # fmt: skip


def _decoded(request: Request) -> bytes:
    coding = request.headers.get("content-encoding", "identity")
    if coding not in ("identity", "gzip", "deflate"):
        raise RefusedError("unknown coding", 415)
    try:
        if coding == "gzip":
            return gzip.decompress(request.body)
        return zlib.decompress(request.body) if coding == "deflate" else request.body
    except (OSError, EOFError, zlib.error) as problem:
        raise RefusedError("damaged body") from problem


def _raw(model: Model, body: bytes) -> tuple[dict[str, Any], Arrays]:
    refuse_unless(len(model.inputs) == 1, "raw requests need one input")
    name, datatype, shape = model.inputs[0]
    array = from_bytes(body, datatype, [1, *shape[1:]])
    check_shape(list(array.shape), shape)
    return {"parameters": {"binary_data_output": True}}, {name: array}


def _encoded(answered: dict[str, Any], outputs: Arrays, wishes: list[tuple[str, str, bool]]) -> Reply:
    entries: list[dict[str, Any]] = []
    tails = []
    for name, datatype, is_binary in wishes:
        array = outputs[name]
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if is_binary:
            tails.append(to_bytes(array, datatype))
            entry["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            refuse_unless(datatype not in WITHOUT_JSON, f"{datatype} has no JSON form")
            refuse_unless(datatype != "FP32" or np.isfinite(array).all(), "NaN has no JSON form")
            entry["data"] = [one.decode() if isinstance(one, bytes) else one for one in array.ravel().tolist()]
        entries.append(entry)
    return Reply(200, {**answered, "outputs": entries}, tails)


def _compressed(request: Request, reply: Reply) -> Reply:
    coding = request.headers.get("accept-encoding", "identity")
    if coding not in ("gzip", "deflate") or reply.tails:
        return reply
    body = json.dumps(reply.document).encode()
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    return replace(reply, body=packed, headers={"Content-Encoding": coding})


class _Handler(socketserver.StreamRequestHandler):
    """One connection. The switches: closes, one-at-a-time, deaf-after-error, no-continue, no-chunks, any-host,
    any-length, two-lengths, smuggles, head-with-body, no-1.0, no-pieces, resets-large."""

    server: "_Sockets"

    def handle(self) -> None:
        while self._one():
            pass

    def _one(self) -> bool:
        fake = self.server.fake
        switch = fake.defect.switch
        line = self.rfile.readline(100_000)
        if not line.strip():
            return False
        verb, path, version = line.decode("latin-1").split()
        pairs = []
        while (header := self.rfile.readline(100_000).decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            pairs.append((name.lower(), value.strip()))
        headers = dict(pairs)
        lengths = {value for name, value in pairs if name == "content-length"}
        if switch == "no-1.0" and version == "HTTP/1.0":
            return False
        if (
            ("host" not in headers and version == "HTTP/1.1" and switch != "any-host")
            or (len(lengths) > 1 and switch != "two-lengths")
            or (not all(one.isdigit() for one in lengths) and switch != "any-length")
        ):
            self._write(Request(verb, path, headers, b""), Reply(400, {"error": "a bad head"}), ends=True)
            return False
        ends = version == "HTTP/1.0" or headers.get("connection") == "close" or switch == "closes"
        body = self._body(headers, lengths, switch)
        if body is None:
            return False
        if lengths and "transfer-encoding" in headers and switch != "smuggles":
            ends = True
        if switch == "one-at-a-time":  # what has arrived behind the request is lost
            self.connection.settimeout(0)
            self.rfile.read1(100_000)
            self.connection.settimeout(None)
        request = Request(verb, path, headers, body)
        reply = fake.answer(request)
        if reply is None:
            return False
        self._write(request, reply, ends=ends)
        return not (ends or (switch == "deaf-after-error" and reply.status >= 400))

    def _body(self, headers: dict[str, str], lengths: set[str], switch: str) -> bytes | None:
        if headers.get("expect") == "100-continue" and switch != "no-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "transfer-encoding" in headers and switch != "no-chunks":
            parts = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        length = min((int(one) for one in lengths if one.isdigit()), default=0)
        if switch == "resets-large" and length > 1_000_000:
            return None
        if switch == "no-pieces":
            return self.rfile.read1(length) if length else b""
        return self.rfile.read(length)

    def _write(self, request: Request, reply: Reply, *, ends: bool) -> None:
        content = json.dumps(reply.document).encode() if reply.body is None else reply.body
        headers = {"Content-Type": "application/json"}
        if reply.tails:
            headers = {"Content-Type": "application/octet-stream"}
            headers["Inference-Header-Content-Length"] = str(len(content))
            content = b"".join((content, *reply.tails))
        headers |= {"Content-Length": str(len(content)), **reply.headers}
        if ends:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {reply.status} Status", *(f"{name}: {value}" for name, value in headers.items() if value)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        has_body = request.verb != "HEAD" or self.server.fake.defect.switch == "head-with-body"
        self.wfile.write(head + (content if has_body else b""))


class _Sockets(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, fake: FakeServer, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no matter; what is wrong shows in the answers."""


@contextmanager
def fake_server(defect: Defect | None = None, *, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A running server: its URL."""
    scheme = "http" if context is None else "https"
    with _Sockets(FakeServer(defect), context) as sockets:
        thread = threading.Thread(target=sockets.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{sockets.server_address[1]}"
        finally:
            sockets.shutdown()
            thread.join(10)
