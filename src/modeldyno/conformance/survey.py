"""What a server says of itself before the rules are checked, believed no further than needed to ask it anything."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from modeldyno.conformance.endings import BrokenRuleError, NoAnswerError
from modeldyno.conformance.grpc_wire import GrpcWire
from modeldyno.conformance.http_wire import JSON, HttpWire, Reply
from modeldyno.conformance.subject import ModelFacts
from modeldyno.errors import TargetError, UsageError
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_documents import may_be_asked
from modeldyno.wire.v2_grpc import decode_metadata
from modeldyno.wire.v2_messages import message_class


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A server and its models."""

    server: str
    """Name and version."""
    extensions: tuple[str, ...]
    models: tuple[ModelFacts, ...]


def survey_http(wire: HttpWire, models: Sequence[str]) -> Survey:
    """Ask over HTTP.

    Args:
        wire: to the server.
        models: to be checked; those that the server lists when empty.

    Raises:
        TargetError: it answers nothing, or wants a key, or lists other models than the one that was named.
        UsageError: it lists no models, and none was named.
    """
    try:
        reply = wire.send("GET", "/v2")
        if reply.status in (401, 403):
            raise TargetError(
                f"{wire.url} does not let us in: status {reply.status}",
                hint="give a key: --bearer-file FILE, or --header 'Name: value'",
            )
        metadata = _object(reply)
        names = tuple(models) or _require_list(wire.url, _listed(wire))
        facts = tuple(_http_facts(wire, name) for name in names)
        _require_known(wire.url, facts, lambda: _listed(wire))
    except NoAnswerError as problem:
        raise TargetError(
            f"{wire.url} does not answer as a server of HTTP", why=str(problem), hint="is it the right port?"
        ) from problem
    extensions = metadata.get("extensions")
    listed = extensions if isinstance(extensions, list) else []
    return Survey(
        server=" ".join(str(metadata[part]) for part in ("name", "version") if metadata.get(part)),
        extensions=tuple(one for one in listed if isinstance(one, str)),
        models=facts,
    )


def _object(reply: Reply) -> dict[str, Any]:
    if reply.status != 200:
        return {}
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}  # a rule says so
    return document if isinstance(document, dict) else {}


def _listed(wire: HttpWire) -> tuple[str, ...]:
    """From the repository index of Triton's extension, or else from the list that KServe's servers have."""
    index = wire.send("POST", "/v2/repository/index", b"{}", JSON)
    names: list[str] = []
    if index.status == 200:
        try:
            entries = json.loads(index.body)
        except (ValueError, RecursionError):
            entries = []
        entries = entries if isinstance(entries, list) else []
        listed = [one for one in entries if isinstance(one, dict) and "name" in one]
        # When all are said to be away, it may be the states that are wrong.
        able = [one for one in listed if may_be_asked(one.get("state"))] or listed
        names = _askable(one["name"] for one in able)
    if not names:
        entries = _object(wire.send("GET", "/v2/models")).get("models")
        names = _askable(entries) if isinstance(entries, list) else []
    return tuple(sorted(set(names)))


def _askable(names: Iterable[Any]) -> list[str]:
    """Those that a URL can hold: a lone surrogate, which JSON can, is no text."""
    texts = [one for one in names if isinstance(one, str) and one]
    return [one for one in texts if one.encode(errors="ignore").decode() == one]


def _require_list(url: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise UsageError(f"{url} does not list its models", hint="name one with --model NAME")
    return names


def _require_known(url: str, facts: Sequence[ModelFacts], list_models: Callable[[], tuple[str, ...]]) -> None:
    """A name that was mistyped must not become a verdict on the server."""
    unknown = [one.name for one in facts if one.signature is None]
    listed = list_models() if unknown else ()
    missing = [name for name in unknown if listed and name not in listed]
    if missing:
        shown = ", ".join(map(repr, listed))
        raise TargetError(
            f"{url} serves no model {missing[0]!r}", why=f"it lists {shown}", hint="name one of these with --model NAME"
        )


def _grpc_listed(wire: GrpcWire) -> tuple[str, ...]:
    _, index = wire.call("RepositoryIndex")
    ready = {str(one.name) for one in index.models if may_be_asked(one.state)} if index is not None else set()
    return tuple(sorted(ready))


def _http_facts(wire: HttpWire, name: str) -> ModelFacts:
    document = _object(wire.send("GET", f"/v2/models/{quote(name, safe='')}"))
    versions = document.get("versions")
    listed = tuple(one for one in versions if isinstance(one, str)) if isinstance(versions, list) else ()
    try:
        signature = Signature(inputs=_specs(document["inputs"]), outputs=_specs(document["outputs"]))
    except (KeyError, TypeError, ValueError):
        return ModelFacts(
            name=name,
            versions=listed,
            problem="the model's metadata do not describe its inputs and outputs: see the rules metadata.model",
        )
    return ModelFacts(name=name, signature=signature, versions=listed)


def _specs(entries: Any) -> tuple[TensorSpec, ...]:
    """Raises KeyError, TypeError or ValueError when they are none, or not one."""
    specs = tuple(
        TensorSpec(name=entry["name"] + "", datatype=entry["datatype"] + "", shape=_shape(entry["shape"]))
        for entry in entries
    )
    if not specs:
        raise ValueError("no tensors are described")
    return specs


def _shape(sizes: Any) -> tuple[int | str, ...]:
    return tuple(
        size if size >= 0 else ("batch" if place == 0 else f"dim{place}")
        for place, size in enumerate(map(_whole, sizes))
    )


def _whole(size: Any) -> int:
    if type(size) is not int:
        raise TypeError("a size of a shape is no whole number")
    return size


def survey_grpc(wire: GrpcWire, models: Sequence[str]) -> Survey:
    """Ask over gRPC alone; see `survey_http`."""
    try:
        _, metadata = wire.call("ServerMetadata")
        names = tuple(models) or _require_list(wire.url, _grpc_listed(wire))
        facts = tuple(_grpc_facts(wire, name) for name in names)
        _require_known(wire.url, facts, lambda: _grpc_listed(wire))
    except (NoAnswerError, BrokenRuleError) as problem:
        raise TargetError(
            f"{wire.url} does not answer as a server of gRPC", why=str(problem), hint="is it the right port?"
        ) from problem
    if metadata is None:
        return Survey(server="", extensions=(), models=facts)
    return Survey(
        server=f"{metadata.name} {metadata.version}".strip(), extensions=tuple(metadata.extensions), models=facts
    )


def _grpc_facts(wire: GrpcWire, name: str) -> ModelFacts:
    _, answer = wire.call("ModelMetadata", message_class("ModelMetadataRequest")(name=name))
    problem = "the server gives no metadata of the model: see grpc.model-metadata"
    if answer is None:
        return ModelFacts(name=name, problem=problem)
    try:
        signature = decode_metadata(bytes(answer.SerializeToString()))
    except WireError as wrong:
        return ModelFacts(name=name, versions=tuple(answer.versions), problem=f"{problem} ({wrong.message})")
    return ModelFacts(name=name, signature=signature, versions=tuple(answer.versions))
