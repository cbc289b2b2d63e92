"""What a server of the Open Inference Protocol says about itself before the load begins: models and signatures."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.caller import Caller
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.v2_documents import may_be_asked


def model_signature(url: str, model: str, access: Access | None = None) -> Signature:
    """Inputs and outputs of a model, from its Open Inference Protocol metadata.

    Raises:
        TargetError: the server cannot be reached, does not know the model, or does not speak the protocol.
    """
    reply = Caller(url, access).call("GET", f"/v2/models/{quote(model)}")
    status, document = reply.status, reply.document()
    if status != 200:
        raise TargetError(
            f"{url} does not offer the model {model!r}",
            why=f"status {status}: {_error_of(document)}",
            hint=_offered(url, access),
        )
    try:
        return Signature(inputs=_specs(document["inputs"]), outputs=_specs(document["outputs"]))
    except (KeyError, TypeError) as problem:
        raise TargetError(
            f"{url} answered with metadata that are not of the Open Inference Protocol", why=repr(problem)
        ) from problem


def only_model(url: str, access: Access | None = None) -> str:
    """The name of the server's model, when it has exactly one and lists it.

    Raises:
        TargetError: the server cannot be reached.
        UsageError: it has several models, or does not list them.
    """
    names = offered_models(url, access)
    if names is None:
        raise UsageError(f"{url} does not list its models", hint="name one with --model NAME")
    if len(names) != 1:
        raise UsageError(f"{url} offers {len(names)} models: {', '.join(names)}", hint="choose one with --model NAME")
    return names[0]


def offered_models(url: str, access: Access | None = None) -> list[str] | None:
    """Names that can be asked, of the server's repository index (a Triton extension); None when it has none."""
    reply = Caller(url, access).call("POST", "/v2/repository/index", b"{}")
    document = reply.document()
    if reply.status != 200 or not isinstance(document, list):
        return None
    entries = (entry for entry in document if isinstance(entry, Mapping) and "name" in entry)
    return sorted({str(entry["name"]) for entry in entries if may_be_asked(entry.get("state"))})


def _offered(url: str, access: Access | None) -> str:
    try:
        names = offered_models(url, access)
    except TargetError:
        names = None
    return f"it offers: {', '.join(names)}" if names else "check the name with the server's operator"


def _error_of(document: Any) -> str:
    return str(document.get("error", "no reason given")) if isinstance(document, Mapping) else "no reason given"


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
