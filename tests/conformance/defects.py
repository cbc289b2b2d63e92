"""For each rule of the HTTP form a defect that breaks it and leaves the server working otherwise."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from tests.conformance.fake_http import Defect, Reply, Request
from tests.conformance.fake_model import MODELS

Change = Callable[[Any], Any]
UNKNOWN = "modeldyno-no-such-model"


def at(path: str, change: Callable[[Request, Reply], Reply | None], *, verb: str = "GET") -> Defect:
    """A defect of the answers to paths that end so."""

    def after(request: Request, reply: Reply) -> Reply | None:
        is_there = request.path.endswith(path) and request.verb == verb
        return change(request, reply) if is_there else reply

    return Defect(after=after)


def status(path: str, code: int, *, verb: str = "GET") -> Defect:
    return at(path, lambda _, reply: replace(reply, status=code), verb=verb)


def documents(path: str, change: Change, *, verb: str = "GET") -> Defect:
    """A defect of the bodies of successful answers."""

    def after(_: Request, reply: Reply) -> Reply:
        return replace(reply, document=change(reply.document)) if reply.status == 200 else reply

    return at(path, after, verb=verb)


def members(path: str, **changed: Any) -> Defect:
    """A body with other members; those that are ... are missing."""

    def change(document: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**document, **changed}.items() if value is not ...}

    return documents(path, change)


def entries(path: str, which: str, change: Change) -> Defect:
    """A change to the first tensor of the metadata."""
    return documents(path, lambda found: {**found, which: [change(found[which][0]), *found[which][1:]]})


def infer(change: Callable[[Request, dict[str, Any]], Any]) -> Defect:
    """A defect of the JSON of inference answers."""

    def after(request: Request, reply: Reply) -> Reply:
        return replace(reply, document=change(request, reply.document)) if reply.status == 200 else reply

    return at("/infer", after, verb="POST")


def outputs(change: Change) -> Defect:
    """A change to the first output of inference answers."""
    return infer(lambda _, found: {**found, "outputs": [change(found["outputs"][0]), *found["outputs"][1:]]})


def asked(holds: Callable[[Request], Any], change: Callable[[Request, Reply], Reply | None]) -> Defect:
    """A defect of the answers to some inference requests."""
    return at("/infer", lambda request, reply: change(request, reply) if holds(request) else reply, verb="POST")


def before(change: Callable[[Request], Request]) -> Defect:
    return Defect(before=lambda request: change(request) if request.is_infer else request)


def rewritten(change: Change) -> Defect:
    """The server reads another JSON than was sent."""

    def apply(request: Request) -> Request:
        document = request.document
        if not isinstance(document, dict):
            return request
        length = request.headers.get("inference-header-content-length")
        tail = request.body[int(length) :] if length else b""
        body = json.dumps(change(document)).encode()
        headers = {**request.headers, **({"inference-header-content-length": str(len(body))} if length else {})}
        return replace(request, body=body + tail, headers=headers)

    return before(apply)


def plain_answer(request: Request) -> Reply:
    """What a model gives for some inputs, whatever was sent."""
    name = unquote(request.path.split("/")[3])
    model = MODELS.get(name, MODELS["single"])
    described = [
        {"name": one, "datatype": kind, "shape": [0, *shape[1:]], "data": []} for one, kind, shape in model.outputs
    ]
    return Reply(200, {"model_name": name, "model_version": "2", "outputs": described})


def _accepted(request: Request, reply: Reply) -> Reply:
    return plain_answer(request) if 400 <= reply.status < 500 else reply


def _otherwise_shaped(_: Request, reply: Reply) -> Reply:
    return replace(reply, document={"detail": "bad"}) if reply.status >= 400 else reply


def _as_fault(_: Request, reply: Reply) -> Reply:
    return replace(reply, status=500) if 400 <= reply.status < 500 else reply


ACCEPTS = Defect(after=_accepted)
OTHER_SHAPE = Defect(after=_otherwise_shaped)
FAULTS = Defect(after=_as_fault)


def _is_binary(request: Request) -> bool:
    return "inference-header-content-length" in request.headers


def _has(text: str) -> Callable[[Request], bool]:
    return lambda request: text.encode() in request.body


def _doubled(output: dict[str, Any]) -> dict[str, Any]:
    if not output.get("data") or isinstance(output["data"][0], str):
        return output
    return {**output, "data": [one * 2 + 1 for one in output["data"]]}


def _wrong_values(_: Request, reply: Reply) -> Reply:
    if reply.status != 200:
        return reply
    changed = [_doubled(one) for one in reply.document["outputs"]]
    return replace(reply, document={**reply.document, "outputs": changed}, tails=[one[::-1] for one in reply.tails])


def _broken(_: Request, reply: Reply) -> Reply:
    return replace(reply, status=400, document={"error": "no"}, tails=[])


def _first_rows_of(document: dict[str, Any]) -> dict[str, Any]:
    """Only the first row of each input, repeated: rows are mixed up."""
    changed = []
    for entry in document["inputs"]:
        data, rows = entry.get("data"), entry["shape"][0]
        flat = isinstance(data, list) and data and not isinstance(data[0], list)
        changed.append({**entry, "data": data[: len(data) // rows] * rows} if flat and rows else entry)
    return {**document, "inputs": changed}


def _without_order(document: dict[str, Any]) -> dict[str, Any]:
    """Inputs are taken by place."""
    names = {"x", "factor", "negate"}
    found = [entry["name"] for entry in document["inputs"]]
    if set(found) != names or found[0] == "x":
        return document
    return {**document, "inputs": [{**entry, "data": [1] * len(entry["data"])} if entry["name"] == "factor" else entry
                                   for entry in document["inputs"]]}  # fmt: skip


def _aligned(request: Request, reply: Reply) -> Reply:
    length = int(request.headers.get("inference-header-content-length", "0"))
    padded = request.body[:length].endswith(b" ")
    return _wrong_values(request, reply) if padded else reply


def _as_nan(_: Request, reply: Reply) -> Reply:
    if reply.status == 400 and "NaN" in str(reply.document):
        return Reply(200, None, body=b'{"model_name":"m","outputs":[{"data":[NaN]}]}')
    return reply


_WHOLE = {"binary_data_size": 1}
_cut = {"body": b"{"}


def _stats(**changed: Any) -> Defect:
    return documents("/stats", lambda found: {"model_stats": [{**one, **changed} for one in found["model_stats"]]})


def _config(**changed: Any) -> Defect:
    return members("/config", **changed)


def _versions_ignored(request: Request) -> Request:
    return replace(request, path=request.path.replace("/versions/987654321", ""))


DEFECTS: dict[str, Defect] = {
    "health.live.answers": status("/v2/health/live", 503),
    "health.ready.answers": status("/v2/health/ready", 400),
    "health.model-ready.answers": status("numbers/ready", 404),
    "health.model-ready.of-a-version": status("versions/2/ready", 404),
    "health.live.body-says-live": members("/v2/health/live", live="yes"),
    "health.ready.body-says-ready": members("/v2/health/ready", ready=False),
    "health.model-ready.body-names-the-model": members("numbers/ready", name=...),
    "health.model-ready.unknown-model-is-not-ready": status(f"{UNKNOWN}/ready", 200),
    "health.model-ready.unknown-version-is-not-ready": Defect(before=_versions_ignored),
    "metadata.server.answers": status("/v2", 500),
    "metadata.server.has-name-and-version": members("/v2", version=1.5),
    "metadata.server.lists-extensions": members("/v2", extensions=None),
    "metadata.model.answers": documents("models/numbers", lambda _: [1]),
    "metadata.model.names-the-model": members("models/numbers", name="other"),
    "metadata.model.has-platform": members("models/numbers", platform=...),
    "metadata.model.versions-are-texts": members("models/numbers", versions=[1, 2]),
    "metadata.model.inputs-are-described": entries("models/single", "inputs", lambda one: {**one, "shape": ["n", 3]}),
    "metadata.model.outputs-are-described": members("models/single", outputs=[]),
    "metadata.model.datatypes-are-known": entries("models/single", "inputs", lambda one: {**one, "datatype": "float"}),
    "metadata.model.open-dimensions-are-minus-one": entries(
        "models/single", "inputs", lambda one: {**one, "shape": [-2, 3]}
    ),
    "metadata.model.names-are-unique": documents(
        "models/single", lambda found: {**found, "inputs": found["inputs"] * 2}
    ),
    "metadata.model.of-a-version": status("versions/2", 404),
    "metadata.model.unknown-model-is-refused": status(f"models/{UNKNOWN}", 200),
    "metadata.model.unknown-version-is-refused": Defect(before=_versions_ignored),
    "infer.json.answers": status("/infer", 500, verb="POST"),
    "infer.json.nested-data-mean-the-same": asked(_has("[["), _wrong_values),
    "infer.json.names-the-model": infer(lambda _, found: {**found, "model_name": "other"}),
    "infer.json.names-a-listed-version": infer(lambda _, found: {**found, "model_version": "9"}),
    "infer.json.all-outputs-are-returned": infer(lambda _, found: {**found, "outputs": found["outputs"][:1]}),
    "infer.json.datatypes-are-those-of-the-metadata": outputs(
        lambda one: {**one, "datatype": "FP64"} if one["datatype"] == "FP32" else one
    ),
    "infer.json.shapes-are-those-of-the-metadata": outputs(lambda one: {**one, "shape": [*one["shape"], 1]}),
    "infer.json.outputs-have-the-rows-of-the-request": outputs(
        lambda one: {**one, "shape": one["shape"][::-1]} if one["shape"][1:] == [1] else one
    ),
    "infer.json.id-is-echoed": infer(lambda _, found: {**found, "id": "mine"}),
    "infer.json.id-of-any-text-is-echoed": asked(_has("😀"), lambda _, __: None),
    "infer.json.id-is-not-invented": infer(lambda _, found: {"id": "made-up", **found}),
    "infer.json.selected-output-is-returned": rewritten(
        lambda one: {**one, "outputs": [{"name": "sum"}]} if "scaled" in str(one.get("outputs")) else one
    ),
    "infer.json.unselected-outputs-are-left-out": rewritten(lambda one: {**one, "outputs": []}),
    "infer.json.outputs-come-in-the-order-asked": rewritten(
        lambda one: {**one, "outputs": one.get("outputs", [])[::-1]}
    ),
    "infer.json.inputs-come-in-any-order": rewritten(_without_order),
    "infer.json.of-a-version": asked(
        lambda request: "/versions/" in request.path,
        lambda _, reply: replace(reply, document={**reply.document, "model_version": "1"}),
    ),
    "infer.json.rows-are-answered-as-if-alone": rewritten(_first_rows_of),
    "infer.json.requests-at-once-get-their-own-answers": infer(
        lambda _, found: {**found, "id": "request-1"} if "request-" in str(found.get("id")) else found
    ),
    "infer.json.no-rows-are-answered-or-refused": asked(_has('"shape":[0,'), lambda _, __: Reply(500, {"error": "?"})),
    "infer.json.members-without-a-value-are-left-out": infer(lambda _, found: {**found, "parameters": None}),
    "infer.json.nan-is-refused": asked(_has("NaN"), lambda request, _: plain_answer(request)),
    "infer.json.nan-is-answered-by-numbers-or-an-error": Defect(after=_as_nan),
    "datatypes.whole-numbers-are-floats-too": asked(
        lambda request: isinstance(request.document, dict)
        and all(type(one) is int for one in request.document["inputs"][0].get("data", [0.5])),
        _broken,
    ),
    "datatypes.whole-number-out-of-range-is-refused": asked(
        _has("9223372036854775808"), lambda request, _: plain_answer(request)
    ),
    "datatypes.float-out-of-range-is-refused": asked(_has("1e+300"), lambda request, _: plain_answer(request)),
    "datatypes.bool.truths-are-understood": asked(_has("true"), _broken),
    "datatypes.bool.is-one-byte": asked(_is_binary, _wrong_values),
    "datatypes.bytes.any-text-is-understood": asked(_has("漢"), _broken),
    "datatypes.bytes.binary-agrees-with-json": asked(
        lambda request: _is_binary(request) and "漢".encode() in request.body, _wrong_values
    ),
    "datatypes.half.in-json-is-answered-or-refused": asked(
        lambda request: b"FP16" in request.body and not _is_binary(request), lambda _, __: Reply(500, {"error": "?"})
    ),
    "parameters.of-the-request-are-tolerated": asked(
        lambda request: "modeldyno_text" in str((request.document or {}).get("parameters")), _broken
    ),
    "parameters.of-an-input-are-tolerated": asked(
        lambda request: "modeldyno_text" in str((request.document or {}).get("inputs")), _broken
    ),
    "parameters.of-an-output-are-tolerated": asked(
        lambda request: "modeldyno_text" in str((request.document or {}).get("outputs")), _broken
    ),
    "parameters.may-be-empty": asked(_has('"parameters":{}'), _broken),
    "parameters.priority-and-timeout-are-tolerated": asked(_has('"priority"'), _broken),
    "parameters.of-the-answer-are-plain-values": infer(lambda _, found: {**found, "parameters": {"a": [1]}}),
    "parameters.json-outputs-have-none-without-a-size": outputs(lambda one: {**one, "parameters": {"content": "np"}}),
    "infer.binary.answers": asked(_is_binary, _broken),
    "infer.binary.is-listed": members("/v2", extensions=["statistics"]),
    "infer.binary.agrees-with-json": asked(_is_binary, _wrong_values),
    "infer.binary.request-flag-makes-all-outputs-binary": rewritten(lambda one: {**one, "parameters": {}}),
    "infer.binary.output-flag-makes-one-output-binary": rewritten(
        lambda one: {**one, "outputs": [{"name": entry["name"]} for entry in one.get("outputs", [])]}
    ),
    "infer.binary.output-flag-wins": rewritten(
        lambda one: one if "parameters" not in one else {
            **one, "outputs": [{"name": entry["name"]} for entry in one.get("outputs", [])]}
    ),
    "infer.binary.json-is-the-default": rewritten(
        lambda one: {"parameters": {"binary_data_output": True}, **one}
    ),
    "infer.binary.outputs-for-json-inputs": Defect(
        before=lambda request: request if _is_binary(request) else replace(
            request, body=request.body.replace(b"binary_data_output", b"something_other"))
    ),
    "infer.binary.inputs-may-be-mixed": asked(
        lambda request: _is_binary(request) and b'"data"' in request.body, _broken
    ),
    "infer.binary.answer-says-where-tensors-begin": at(
        "/infer", lambda _, reply: replace(reply, headers={**reply.headers, "Content-Type": ""}), verb="POST"
    ),
    "infer.binary.tensors-begin-anywhere": at("/infer", _aligned, verb="POST"),
    "infer.binary.no-rows-are-answered-or-refused": asked(
        lambda request: _is_binary(request) and b'"shape":[0,' in request.body, lambda _, __: Reply(500, {"error": "?"})
    ),
    "infer.binary.raw-request-agrees-with-json": asked(
        lambda request: request.headers.get("inference-header-content-length") == "0", _wrong_values
    ),
    "compression.gzip-requests-are-understood": asked(
        lambda request: request.headers.get("content-encoding") == "gzip", _broken
    ),
    "compression.deflate-requests-are-understood": asked(
        lambda request: request.headers.get("content-encoding") == "deflate", _wrong_values
    ),
    "compression.gzip-answers-can-be-had": at(
        "/infer", lambda _, reply: replace(reply, body=None) if reply.headers else reply, verb="POST"
    ),
    "compression.deflate-answers-can-be-had": at(
        "/infer", lambda _, reply: replace(reply, headers={"Content-Encoding": "br"}) if reply.headers else reply,
        verb="POST",
    ),
    "compression.damaged-gzip-is-refused": asked(
        lambda request: request.body.endswith(b"\x00\xff\x00\xff"), lambda request, _: plain_answer(request)
    ),
    "compression.only-on-request": Defect(
        before=lambda request: replace(request, headers={**request.headers, "accept-encoding": "gzip"})
        if request.headers.get("accept-encoding") == "identity" else request
    ),
    "compression.unknown-coding-answers-415": at(
        "/infer", lambda _, reply: replace(reply, status=400) if reply.status == 415 else reply, verb="POST"
    ),
    "extensions.statistics.are-complete": _stats(inference_stats={"success": {"count": 1, "ns": 1}}),
    "extensions.statistics.of-all-models": documents(
        "models/stats", lambda one: {"model_stats": one["model_stats"][:1]}
    ),
    "extensions.statistics.count-rows-and-requests": _stats(inference_count=7),
    "extensions.statistics.of-an-unknown-model-are-refused": status(f"{UNKNOWN}/stats", 200),
    "extensions.configuration.is-complete": _config(max_batch_size="8"),
    "extensions.configuration.agrees-with-the-metadata": _config(input=[{"name": "other", "data_type": "TYPE_FP32"}]),
    "extensions.repository.lists-the-model": documents("/index", lambda one: one[:1], verb="POST"),
    "extensions.repository.lists-ready-models-only": documents(
        "/index", lambda one: [{**entry, "state": "LOADING"} for entry in one], verb="POST"
    ),
    "extensions.repository.states-are-known": documents(
        "/index", lambda one: [{**entry, "state": "ready"} for entry in one], verb="POST"
    ),
    "extensions.repository.refuses-to-load-an-unknown-model": status(f"{UNKNOWN}/load", 200, verb="POST"),
    "extensions.logging.can-be-read": status("/v2/logging", 404),
    "extensions.trace.can-be-read": documents("/v2/trace/setting", lambda _: "settings"),
    "http.get-of-infer-answers-405": status("/infer", 404),
    "http.post-of-metadata-answers-405": status("/v2", 200, verb="POST"),
    "http.wrong-verb-has-the-error-object": at(
        "/v2", lambda _, reply: replace(reply, document={"detail": "no"}), verb="DELETE"
    ),
    "http.405-names-the-verbs": at("/v2", lambda _, reply: replace(reply, headers={}), verb="DELETE"),
    "http.head-is-get-without-a-body": Defect(switch="head-with-body"),
    "http.connections-stay-open": Defect(switch="closes"),
    "http.pipelined-requests-are-answered-in-order": Defect(switch="one-at-a-time"),
    "http.connection-survives-an-error": Defect(switch="deaf-after-error"),
    "http.expect-continue-is-answered": Defect(switch="no-continue"),
    "http.chunked-bodies-are-understood": Defect(switch="no-chunks"),
    "http.requests-in-pieces-are-understood": Defect(switch="no-pieces"),
    "http.content-type-is-json": Defect(
        after=lambda _, reply: replace(reply, headers={**reply.headers, "Content-Type": "text/html"})
    ),
    "http.content-type-need-not-be-sent": asked(lambda request: "content-type" not in request.headers, _broken),
    "http.large-body-is-answered": Defect(switch="resets-large"),
    "http.names-may-be-percent-encoded": at(
        "", lambda request, reply: _broken(request, reply) if "%" in request.path else reply
    ),
    "http.1.0-is-answered": Defect(switch="no-1.0"),
    "http.missing-host-answers-400": Defect(switch="any-host"),
    "http.bad-content-length-answers-400": Defect(switch="any-length"),
    "http.two-content-lengths-answer-400": Defect(switch="two-lengths"),
    "http.length-beside-chunks-ends-the-connection": Defect(switch="smuggles"),
    "errors.unknown-version-is-refused": Defect(before=_versions_ignored),
    "errors.unknown-model-answers-404": Defect(
        after=lambda _, reply: replace(reply, status=400) if reply.status == 404 else reply
    ),
    "errors.unknown-path-answers-404": status(f"/v2/{UNKNOWN}", 400),
    "errors.bad-requests-answer-400": Defect(
        after=lambda _, reply: replace(reply, status=422) if reply.status == 400 else reply
    ),
    "errors.content-type-is-json": Defect(
        after=lambda _, reply: replace(reply, headers={"Content-Type": "text/plain"}) if reply.status >= 400 else reply
    ),
    "errors.messages-hide-the-stack": Defect(
        after=lambda _, reply: replace(reply, document={"error": "Traceback (most recent call last): ..."})
        if reply.status >= 400 else reply
    ),
    "errors.leave-the-server-as-it-was": Defect(),
}  # fmt: skip
"""`errors.leave-the-server-as-it-was` needs one that remembers: see the test."""
