"""What a server says about itself before the load begins: reachable, which models, which signature."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from modeldyno.errors import TargetError, UsageError
from modeldyno.records.signature import Signature, TensorSpec

TIMEOUT_S = 5.0


def model_signature(url: str, model: str) -> Signature:
    """Inputs and outputs of a model, from its Open Inference Protocol metadata.

    Raises:
        TargetError: the server cannot be reached, does not know the model, or does not speak the protocol.
    """
    status, document = _call(url, "GET", f"/v2/models/{quote(model)}")
    if status != 200:
        raise TargetError(
            f"{url} does not offer the model {model!r}",
            why=f"status {status}: {document.get('error', 'no reason given')}",
            hint=_offered(url),
        )
    try:
        return Signature(inputs=_specs(document["inputs"]), outputs=_specs(document["outputs"]))
    except (KeyError, TypeError) as problem:
        raise TargetError(
            f"{url} answered with metadata that are not of the Open Inference Protocol", why=repr(problem)
        ) from problem


def only_model(url: str) -> str:
    """The name of the server's model, when it has exactly one and lists it.

    Raises:
        TargetError: the server cannot be reached.
        UsageError: it has several models, or does not list them.
    """
    names = offered_models(url)
    if names is None:
        raise UsageError(f"{url} does not list its models", hint="name one with --model NAME")
    if len(names) != 1:
        raise UsageError(f"{url} offers {len(names)} models: {', '.join(names)}", hint="choose one with --model NAME")
    return names[0]


def offered_models(url: str) -> list[str] | None:
    """Names in the server's repository index (a Triton extension); None when it has none."""
    status, document = _call(url, "POST", "/v2/repository/index", b"{}")
    if status != 200 or not isinstance(document, list):
        return None
    return sorted({str(entry["name"]) for entry in document if isinstance(entry, Mapping) and "name" in entry})


def _offered(url: str) -> str:
    try:
        names = offered_models(url)
    except TargetError:
        names = None
    return f"it offers: {', '.join(names)}" if names else "check the name with the server's operator"


def _specs(entries: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=entry["name"],
            datatype=entry["datatype"],
            shape=tuple(
                size if size >= 0 else ("batch" if place == 0 else f"dim{place}")
                for place, size in enumerate(entry["shape"])
            ),
        )
        for entry in entries
    )


def _call(url: str, verb: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"{url!r} is not an http:// URL", hint="for example http://127.0.0.1:8000")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT_S)
    try:
        connection.request(verb, parts.path.rstrip("/") + path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as problem:
        raise TargetError(
            f"cannot reach {url}",
            why=getattr(problem, "strerror", None) or str(problem) or type(problem).__name__,
            hint="is the server running? dyno serve BUNDLE",
        ) from problem
    finally:
        connection.close()
    try:
        return answer.status, json.loads(content) if content else {}
    except ValueError:
        return answer.status, {"error": content[:200].decode("utf-8", "replace")}
