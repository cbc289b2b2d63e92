"""What a server says about itself and its models."""

from typing import Any

from modeldyno.conformance.answer import demand, demand_error, demand_object
from modeldyno.conformance.endings import NotOfferedError
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import rest
from modeldyno.conformance.subject import UNKNOWN, UNKNOWN_VERSION, Subject
from modeldyno.records.signature import DATATYPES


def _server(subject: Subject) -> dict[str, Any]:
    return demand_object(subject.http.send("GET", "/v2"))


def _model(subject: Subject) -> dict[str, Any]:
    return demand_object(subject.http.send("GET", subject.path))


def _server_answers(subject: Subject) -> None:
    _server(subject)


def _server_has_name_and_version(subject: Subject) -> None:
    document = _server(subject)
    for member in ("name", "version"):
        demand(isinstance(document.get(member), str), f"a text called {member}", f"it is {document.get(member)!r}")


def _server_lists_extensions(subject: Subject) -> None:
    listed = _server(subject).get("extensions")
    demand(
        isinstance(listed, list) and all(isinstance(one, str) for one in listed),
        "a list of texts called extensions",
        f"it is {listed!r}",
    )


def _model_answers(subject: Subject) -> None:
    _model(subject)


def _model_name(subject: Subject) -> None:
    name = _model(subject).get("name")
    demand(name == subject.model, f'the name "{subject.model}"', f"it is {name!r}")


def _model_platform(subject: Subject) -> None:
    platform = _model(subject).get("platform")
    demand(isinstance(platform, str), "a text called platform", f"it is {platform!r}")


def _model_versions(subject: Subject) -> None:
    document = _model(subject)
    if "versions" not in document:
        raise NotOfferedError("the model lists no versions")
    versions = document["versions"]
    demand(
        isinstance(versions, list) and all(isinstance(one, str) for one in versions),
        "a list of texts called versions",
        f"it is {versions!r}",
    )


def _tensors(subject: Subject, member: str) -> list[dict[str, Any]]:
    entries = _model(subject).get(member)
    demand(isinstance(entries, list) and bool(entries), f"a list called {member} that is not empty", f"{entries!r}")
    found: list[dict[str, Any]] = entries or []
    return found


def _check_described(subject: Subject, member: str) -> None:
    for entry in _tensors(subject, member):
        demand(isinstance(entry, dict), f"objects in {member}")
        demand(isinstance(entry.get("name"), str), f"a name for each of {member}", f"{entry!r}")
        demand(isinstance(entry.get("datatype"), str), f"a datatype for each of {member}", f"{entry!r}")
        shape = entry.get("shape")
        is_shape = isinstance(shape, list) and all(type(size) is int for size in shape)
        demand(is_shape, f"a shape of whole numbers for each of {member}", f"{entry!r}")


def _inputs_described(subject: Subject) -> None:
    _check_described(subject, "inputs")


def _outputs_described(subject: Subject) -> None:
    _check_described(subject, "outputs")


def _specs(subject: Subject) -> list[dict[str, Any]]:
    entries = [*_tensors(subject, "inputs"), *_tensors(subject, "outputs")]
    for entry in entries:
        demand(isinstance(entry, dict), "objects in inputs and outputs", f"{entry!r}")
    return entries


def _datatypes_known(subject: Subject) -> None:
    for entry in _specs(subject):
        demand(
            entry.get("datatype") in DATATYPES,
            "a datatype of the protocol's table",
            f"{entry.get('name')!r} is {entry.get('datatype')!r}",
        )


def _open_dimensions(subject: Subject) -> None:
    for entry in _specs(subject):
        sizes = entry.get("shape")
        holds = isinstance(sizes, list) and all(type(size) is int and size >= -1 for size in sizes)
        demand(holds, "-1 for a dimension that varies, else its size", f"{entry.get('name')!r} has {sizes!r}")


def _unique_names(subject: Subject) -> None:
    for member in ("inputs", "outputs"):
        entries = _tensors(subject, member)
        demand(all(isinstance(entry, dict) for entry in entries), f"objects in {member}")
        names = [entry.get("name") for entry in entries]
        demand(len(names) == len(set(map(str, names))), f"names of {member} that differ", f"{names}")


def _of_a_version(subject: Subject) -> None:
    version = demand_object(subject.http.send("GET", subject.version_path))
    demand(version.get("name") == subject.model, f'the name "{subject.model}"', f"it is {version.get('name')!r}")
    demand(isinstance(version.get("inputs"), list), "the inputs of the version")


def _unknown_model(subject: Subject) -> None:
    reply = subject.http.send("GET", f"/v2/models/{UNKNOWN}")
    demand(reply.status >= 400, "an error status for a model that is not there", f"status {reply.status}")
    demand_error(reply)


def _unknown_version(subject: Subject) -> None:
    _ = subject.version
    _model(subject)
    reply = subject.http.send("GET", f"{subject.path}/versions/{UNKNOWN_VERSION}")
    demand(reply.status >= 400, "an error status for a version that is not there", f"status {reply.status}")
    demand_error(reply)


RULES = (
    Rule(
        name="metadata.server.answers",
        says="GET v2 answers 200 with a JSON object",
        source=rest("Server Metadata"),
        severity="required",
        scope="server",
        check=_server_answers,
    ),
    Rule(
        name="metadata.server.has-name-and-version",
        says="server metadata have the texts name and version",
        source=rest("Server Metadata Response JSON Object"),
        severity="required",
        scope="server",
        check=_server_has_name_and_version,
    ),
    Rule(
        name="metadata.server.lists-extensions",
        says="server metadata have a list of texts called extensions, which may be empty",
        source=rest("Server Metadata Response JSON Object"),
        severity="required",
        scope="server",
        check=_server_lists_extensions,
        advice="clients ask for an extension only when it is listed: perf_analyzer looks for statistics there",
    ),
    Rule(
        name="metadata.model.answers",
        says="GET v2/models/M answers 200 with a JSON object",
        source=rest("Model Metadata"),
        severity="required",
        check=_model_answers,
    ),
    Rule(
        name="metadata.model.names-the-model",
        says="model metadata have the name that was asked for",
        source=rest("Model Metadata Response JSON Object"),
        severity="required",
        check=_model_name,
    ),
    Rule(
        name="metadata.model.has-platform",
        says="model metadata have a text called platform",
        source=rest("Model Metadata Response JSON Object"),
        severity="required",
        check=_model_platform,
    ),
    Rule(
        name="metadata.model.versions-are-texts",
        says="versions, where given, is a list of texts",
        source=rest("Model Metadata Response JSON Object"),
        severity="required",
        check=_model_versions,
        advice="leave the member out when there are no versions; null is not a list",
    ),
    Rule(
        name="metadata.model.inputs-are-described",
        says="every input has a name, a datatype and a shape of whole numbers",
        source=rest("Model Metadata Response JSON Object"),
        severity="required",
        check=_inputs_described,
        advice="without it no client can make a request from the metadata alone",
    ),
    Rule(
        name="metadata.model.outputs-are-described",
        says="every output has a name, a datatype and a shape of whole numbers",
        source=rest("Model Metadata Response JSON Object"),
        severity="required",
        check=_outputs_described,
    ),
    Rule(
        name="metadata.model.datatypes-are-known",
        says="datatypes are those of the protocol's table",
        source=rest("Tensor Data Types"),
        severity="required",
        check=_datatypes_known,
    ),
    Rule(
        name="metadata.model.open-dimensions-are-minus-one",
        says="a dimension that varies is -1, no other is negative",
        source=rest("Model Metadata Response JSON Object"),
        severity="required",
        check=_open_dimensions,
    ),
    Rule(
        name="metadata.model.names-are-unique",
        says="no two inputs and no two outputs share a name",
        source=rest("Model Metadata Response JSON Object"),
        severity="recommended",
        check=_unique_names,
    ),
    Rule(
        name="metadata.model.of-a-version",
        says="a listed version can be asked for its metadata",
        source=rest("Model Metadata"),
        severity="required",
        check=_of_a_version,
    ),
    Rule(
        name="metadata.model.unknown-model-is-refused",
        says='metadata of a model that is not there are an error status with {"error": "..."}',
        source=rest("Model Metadata Response JSON Error Object"),
        severity="required",
        scope="server",
        check=_unknown_model,
    ),
    Rule(
        name="metadata.model.unknown-version-is-refused",
        says='metadata of a version that is not there are an error status with {"error": "..."}',
        source=rest("Model Metadata Response JSON Error Object"),
        severity="required",
        check=_unknown_version,
    ),
)
