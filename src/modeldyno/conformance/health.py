"""Liveness and readiness."""

from modeldyno.conformance.answer import demand, demand_object, demand_status
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import rest
from modeldyno.conformance.subject import UNKNOWN, UNKNOWN_VERSION, Subject


def _live(subject: Subject) -> None:
    demand_status(subject.http.send("GET", "/v2/health/live"), 200)


def _ready(subject: Subject) -> None:
    demand_status(subject.http.send("GET", "/v2/health/ready"), 200)


def _model_ready(subject: Subject) -> None:
    demand_status(subject.http.send("GET", f"{subject.path}/ready"), 200)


def _version_ready(subject: Subject) -> None:
    demand_status(subject.http.send("GET", f"{subject.version_path}/ready"), 200)


def _live_body(subject: Subject) -> None:
    document = demand_object(subject.http.send("GET", "/v2/health/live"))
    demand(document.get("live") is True, 'the member "live": true')


def _ready_body(subject: Subject) -> None:
    document = demand_object(subject.http.send("GET", "/v2/health/ready"))
    # The specification calls the member of the ready answer `live`, which is a known slip of the pen.
    demand(True in (document.get("ready"), document.get("live")), 'the member "ready": true (or "live": true)')


def _model_ready_body(subject: Subject) -> None:
    document = demand_object(subject.http.send("GET", f"{subject.path}/ready"))
    demand(document.get("name") == subject.model, f'the member "name": "{subject.model}"')
    demand(document.get("ready") is True, 'the member "ready": true')


def _unknown_model(subject: Subject) -> None:
    reply = subject.http.send("GET", f"/v2/models/{UNKNOWN}/ready")
    demand(400 <= reply.status < 500, "a status 4xx for a model that is not there", f"status {reply.status}")


def _unknown_version(subject: Subject) -> None:
    _ = subject.version
    _model_ready(subject)
    reply = subject.http.send("GET", f"{subject.path}/versions/{UNKNOWN_VERSION}/ready")
    demand(400 <= reply.status < 500, "a status 4xx for a version that is not there", f"status {reply.status}")


RULES = (
    Rule(
        name="health.live.answers",
        says="GET v2/health/live answers 200 while the server can receive requests",
        source=rest("Server Live"),
        severity="required",
        scope="server",
        check=_live,
    ),
    Rule(
        name="health.ready.answers",
        says="GET v2/health/ready answers 200 while all models are ready",
        source=rest("Server Ready"),
        severity="required",
        scope="server",
        check=_ready,
    ),
    Rule(
        name="health.model-ready.answers",
        says="GET v2/models/M/ready answers 200 for a model that is served",
        source=rest("Model Ready"),
        severity="required",
        check=_model_ready,
    ),
    Rule(
        name="health.model-ready.of-a-version",
        says="a listed version can be asked for its readiness",
        source=rest("Model Ready"),
        severity="required",
        check=_version_ready,
        advice="list in the metadata only versions that can be asked for",
    ),
    Rule(
        name="health.live.body-says-live",
        says='the body of v2/health/live is {"live": true}',
        source=rest("Server Live Response JSON Object"),
        severity="recommended",
        scope="server",
        check=_live_body,
        advice="clients look at the status only, so this is for people and proxies",
    ),
    Rule(
        name="health.ready.body-says-ready",
        says='the body of v2/health/ready is {"ready": true}, or {"live": true} as the specification has it',
        source=rest("Server Ready Response JSON Object"),
        severity="recommended",
        scope="server",
        check=_ready_body,
    ),
    Rule(
        name="health.model-ready.body-names-the-model",
        says='the body of v2/models/M/ready is {"name": "M", "ready": true}',
        source=rest("Model Ready Response JSON Object"),
        severity="recommended",
        check=_model_ready_body,
    ),
    Rule(
        name="health.model-ready.unknown-model-is-not-ready",
        says="a model that is not there is not ready: a status 4xx",
        source=rest("Model Ready"),
        severity="required",
        scope="server",
        check=_unknown_model,
        advice="look the model up before answering; a probe for a mistyped name must not succeed",
    ),
    Rule(
        name="health.model-ready.unknown-version-is-not-ready",
        says="a version that is not there is not ready: a status 4xx",
        source=rest("Model Ready"),
        severity="required",
        check=_unknown_version,
        advice="look the version up too, as for inference",
    ),
)
