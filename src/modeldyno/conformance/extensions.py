"""Triton's extensions that clients call: statistics, model configuration, repository index, logging, trace.

Nothing is changed on the server: no model that is there is loaded or unloaded, settings are only read.
"""

from typing import Any

from modeldyno.conformance.answer import demand, demand_error, demand_refusal, demand_status, read_infer, strict_json
from modeldyno.conformance.endings import NotOfferedError
from modeldyno.conformance.http_wire import JSON, Reply
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import triton
from modeldyno.conformance.subject import UNKNOWN, Subject

_DURATIONS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
_STATISTICS = triton("extension_statistics")
_CONFIGURATION = triton("extension_model_configuration")
_REPOSITORY = triton("extension_model_repository")
_STATES = frozenset({"READY", "LOADING", "UNLOADING", "UNAVAILABLE", "UNKNOWN"})


def _offered(subject: Subject, extension: str, reply: Reply) -> Any:
    """The JSON of an extension's answer; raises NotOfferedError when the server neither lists nor has it."""
    if reply.status != 200 and extension not in subject.extensions:
        raise NotOfferedError(f"the server does not list {extension}, and answers {reply.status}")
    demand_status(reply, 200)
    return strict_json(reply.body)


def _statistics(subject: Subject, path: str) -> list[dict[str, Any]]:
    document = _offered(subject, "statistics", subject.http.send("GET", path))
    entries = document.get("model_stats") if isinstance(document, dict) else None
    demand(isinstance(entries, list) and bool(entries), "a list called model_stats that is not empty")
    found: list[dict[str, Any]] = entries or []
    return found


def _of_model(subject: Subject) -> dict[str, Any]:
    entries = _statistics(subject, f"{subject.path}/stats")
    demand(all(isinstance(entry, dict) for entry in entries), "objects in model_stats")
    named = [entry for entry in entries if entry.get("name") == subject.model]
    demand(len(named) == len(entries), f"statistics of {subject.model!r} only")
    return named[-1]


def _statistics_complete(subject: Subject) -> None:
    entry = _of_model(subject)
    version = entry.get("version")
    demand(
        isinstance(version, str) and version.isdigit(), "a version in digits, as perf_analyzer reads it", f"{version!r}"
    )
    for member in ("inference_count", "execution_count"):
        demand(type(entry.get(member)) is int, f"a whole number {member}", f"it is {entry.get(member)!r}")
    counts = entry.get("inference_stats")
    demand(isinstance(counts, dict), "an object called inference_stats", f"it is {counts!r}")
    for member in _DURATIONS:
        pair = (counts or {}).get(member)
        complete = isinstance(pair, dict) and all(type(pair.get(part)) is int for part in ("count", "ns"))
        demand(complete, f"inference_stats.{member} with whole numbers count and ns", f"it is {pair!r}")


def _statistics_of_all(subject: Subject) -> None:
    entries = _statistics(subject, "/v2/models/stats")
    demand(all(isinstance(entry, dict) for entry in entries), "objects in model_stats")
    names = {str(entry.get("name")) for entry in entries}
    demand(subject.model in names, f"statistics of {subject.model!r} among those of all models", f"{sorted(names)}")


def _statistics_count(subject: Subject) -> None:
    before = _counted(subject)
    _ = subject.plain
    read_infer(subject.ask(subject.question()))
    rows = len(next(iter(subject.inputs.values()))) if subject.is_batched else 1
    after = _counted(subject)
    demand(after[0] >= before[0] + rows, f"inference_count to grow by {rows}", f"from {before[0]} to {after[0]}")
    demand(after[1] >= before[1] + 1, "inference_stats.success.count to grow by 1", f"from {before[1]} to {after[1]}")


def _counted(subject: Subject) -> tuple[int, int]:
    """Rows and requests that all versions of the model have answered."""
    entries = _statistics(subject, f"{subject.path}/stats")
    demand(all(isinstance(entry, dict) for entry in entries), "objects in model_stats")
    rows = requests = 0
    for entry in entries:
        counts = entry.get("inference_stats")
        success = counts.get("success") if isinstance(counts, dict) else None
        rows += _whole(entry.get("inference_count"), "inference_count")
        requests += _whole(success.get("count") if isinstance(success, dict) else None, "success.count")
    return rows, requests


def _whole(value: Any, name: str) -> int:
    demand(type(value) is int, f"a whole number {name}", f"it is {value!r}")
    return int(value)


def _statistics_unknown(subject: Subject) -> None:
    _of_model(subject)
    demand_refusal(subject.http.send("GET", f"/v2/models/{UNKNOWN}/stats"))


def _configuration(subject: Subject) -> dict[str, Any]:
    reply = subject.http.send("GET", f"{subject.path}/config")
    document = _offered(subject, "model_configuration", reply)
    demand(isinstance(document, dict), "a JSON object")
    found: dict[str, Any] = document
    return found


def _configured(document: dict[str, Any], member: str) -> list[dict[str, Any]]:
    entries = document.get(member)
    holds = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
    demand(holds, f"a list of objects called {member}", f"it is {entries!r}")
    found: list[dict[str, Any]] = entries or []
    return found


def _configuration_complete(subject: Subject) -> None:
    document = _configuration(subject)
    demand(document.get("name") == subject.model, f'the name "{subject.model}"', f"it is {document.get('name')!r}")
    rows = document.get("max_batch_size")
    demand(type(rows) is int, "a whole number max_batch_size", f"it is {rows!r}")
    for member in ("input", "output"):
        for entry in _configured(document, member):
            fits = str(entry.get("data_type", "")).startswith("TYPE_")
            demand(fits, f"a data_type TYPE_... for each {member}", f"{entry!r}")
            demand(isinstance(entry.get("dims"), list), f"a list called dims for each {member}", f"{entry!r}")


def _configuration_agrees(subject: Subject) -> None:
    document = _configuration(subject)
    signature = subject.signature
    for member, specs in (("input", signature.inputs), ("output", signature.outputs)):
        names = sorted(str(entry.get("name")) for entry in _configured(document, member))
        demand(names == sorted(spec.name for spec in specs), f"the metadata's names as {member}", f"{names}")
    rows = document.get("max_batch_size")
    if isinstance(rows, int) and rows > 0:
        closed = [spec.name for spec in signature.inputs if spec.wire_shape[:1] != [-1]]
        demand(not closed, "metadata shapes that begin with -1, for max_batch_size is above 0", f"not so: {closed}")


def _index(subject: Subject, body: bytes) -> list[dict[str, Any]]:
    reply = subject.http.send("POST", "/v2/repository/index", body, JSON)
    entries = _offered(subject, "model_repository", reply)
    demand(isinstance(entries, list), "a JSON list")
    demand(all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in entries), "a name for each")
    found: list[dict[str, Any]] = entries
    return found


def _index_lists(subject: Subject) -> None:
    names = [entry["name"] for entry in _index(subject, b"{}")]
    demand(subject.model in names, f"the model {subject.model!r} in the index", f"{names}")


def _index_of_ready(subject: Subject) -> None:
    entries = _index(subject, b'{"ready":true}')
    others = [entry for entry in entries if entry.get("state") != "READY"]
    demand(not others, "models in the state READY only", f"{others[:2]}")
    demand(subject.model in [entry["name"] for entry in entries], f"the model {subject.model!r}, which is ready")


def _index_states(subject: Subject) -> None:
    states = {str(entry.get("state") or "UNKNOWN") for entry in _index(subject, b"{}")}
    demand(states <= _STATES, f"a state among {', '.join(sorted(_STATES))} for each, or none", f"{sorted(states)}")


def _load_unknown(subject: Subject) -> None:
    if "model_repository" not in subject.extensions:
        raise NotOfferedError("the server does not list model_repository")
    reply = subject.http.send("POST", f"/v2/repository/models/{UNKNOWN}/load", b"{}", JSON)
    demand(reply.status >= 400, 'an error status with {"error": "..."}', f"status {reply.status}")
    demand_error(reply)


def _logging(subject: Subject) -> None:
    document = _offered(subject, "logging", subject.http.send("GET", "/v2/logging"))
    demand(isinstance(document, dict), "a JSON object of settings")


def _trace(subject: Subject) -> None:
    document = _offered(subject, "trace", subject.http.send("GET", "/v2/trace/setting"))
    demand(isinstance(document, dict), "a JSON object of settings")


RULES = (
    Rule(
        name="extensions.statistics.are-complete",
        says="GET v2/models/M/stats gives name, version, counts and times as the extension has them",
        source=_STATISTICS,
        severity="extension",
        check=_statistics_complete,
        advice="perf_analyzer stops at the first member that is missing",
    ),
    Rule(
        name="extensions.statistics.of-all-models",
        says="GET v2/models/stats gives the statistics of every model",
        source=_STATISTICS,
        severity="extension",
        check=_statistics_of_all,
    ),
    Rule(
        name="extensions.statistics.count-rows-and-requests",
        says="an answered request adds its rows to inference_count and one to success.count",
        source=_STATISTICS,
        severity="extension",
        check=_statistics_count,
        advice="count rows in inference_count, and before the answer is sent",
    ),
    Rule(
        name="extensions.statistics.of-an-unknown-model-are-refused",
        says='statistics of a model that is not there are a status 4xx with {"error": "..."}',
        source=_STATISTICS,
        severity="extension",
        check=_statistics_unknown,
    ),
    Rule(
        name="extensions.configuration.is-complete",
        says="GET v2/models/M/config gives name, max_batch_size, input and output",
        source=_CONFIGURATION,
        severity="extension",
        check=_configuration_complete,
        advice="perf_analyzer profiles nothing without it",
    ),
    Rule(
        name="extensions.configuration.agrees-with-the-metadata",
        says="configuration and metadata have the same inputs, outputs and batch dimension",
        source=_CONFIGURATION,
        severity="extension",
        check=_configuration_agrees,
    ),
    Rule(
        name="extensions.repository.lists-the-model",
        says="POST v2/repository/index lists every model by its name",
        source=_REPOSITORY,
        severity="extension",
        check=_index_lists,
    ),
    Rule(
        name="extensions.repository.lists-ready-models-only",
        says="POST v2/repository/index with ready: true lists the models in the state READY",
        source=_REPOSITORY,
        severity="extension",
        check=_index_of_ready,
    ),
    Rule(
        name="extensions.repository.states-are-known",
        says="the index gives each model a state that the extension knows",
        source=_REPOSITORY,
        severity="extension",
        scope="server",
        check=_index_states,
        advice="READY, LOADING, UNLOADING, UNAVAILABLE or UNKNOWN, in capitals",
    ),
    Rule(
        name="extensions.repository.refuses-to-load-an-unknown-model",
        says='a load of a model that is not there is an error status with {"error": "..."}',
        source=_REPOSITORY,
        severity="extension",
        scope="server",
        check=_load_unknown,
    ),
    Rule(
        name="extensions.logging.can-be-read",
        says="GET v2/logging gives the settings as an object",
        source=triton("extension_logging"),
        severity="extension",
        scope="server",
        check=_logging,
    ),
    Rule(
        name="extensions.trace.can-be-read",
        says="GET v2/trace/setting gives the settings as an object",
        source=triton("extension_trace"),
        severity="extension",
        scope="server",
        check=_trace,
    ),
)
