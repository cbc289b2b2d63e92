"""Conformance checks, one for each way to end."""

from modeldyno.records.conformance import Conformance, RuleOutcome, RuleResult, Severity

REST = "specification/protocol/inference_rest.md"


def outcome(
    rule: str, result: RuleResult, *, severity: Severity = "required", model: str = "digits", reason: str = ""
) -> RuleOutcome:
    was_sent = result in ("pass", "fail")
    return RuleOutcome(
        rule=rule,
        says="an input of another datatype is refused" if "datatype" in rule else "what must hold holds",
        source=f"{REST}, Request Input",
        severity=severity,
        model=model,
        result=result,
        reason=reason,
        request='POST /v2/models/digits/infer [Content-Type: application/json] {"inputs":[...]}' if was_sent else "",
        expected='a status 4xx with {"error": "..."}' if result == "fail" else "",
        got="200 " + '{"model_name":"digits","outputs":[]}' * 8 if was_sent else "",
        advice="compare the datatype with the metadata before reading data" if result == "fail" else "",
    )


KEPT = (
    outcome("health.live.answers", "pass", model=""),
    outcome("infer.json.answers", "pass"),
    outcome("infer.binary.answers", "not_offered", severity="extension", reason="the server does not list it"),
)
BROKEN = (
    outcome("errors.wrong-datatype-is-refused", "fail", reason="status 200"),
    outcome("errors.wrong-datatype-is-refused", "fail", reason="status 500", model="texts"),
    outcome("http.1.0-is-answered", "fail", severity="recommended", model="", reason="no answer within 5.00 s"),
    outcome("infer.binary.agrees-with-json", "fail", severity="extension", reason="output 'y' has other values"),
)


def kept() -> Conformance:
    return _found(KEPT)


def broken() -> Conformance:
    return _found((*KEPT, *BROKEN), models=("digits", "texts"))


def recommended_only() -> Conformance:
    return _found((*KEPT, BROKEN[2]))


def skipped() -> Conformance:
    unjudged = outcome("errors.wrong-rank-is-refused", "skipped", reason="a plain JSON request already fails")
    return _found((KEPT[0], unjudged))


def lost() -> Conformance:
    rest = outcome("errors.wrong-rank-is-refused", "not_checked", reason="the server stopped answering before it")
    return _found((*KEPT, BROKEN[2], rest), state="lost")


def _found(
    outcomes: tuple[RuleOutcome, ...], *, models: tuple[str, ...] = ("digits",), state: str = "complete"
) -> Conformance:
    return Conformance(
        tool_version="0.1.0",
        checked_at="2026-03-14T09:26:53+00:00",
        state=state,  # type: ignore[arg-type]
        url="http://127.0.0.1:8000",
        grpc_url="",
        server="someone's server 1.2",
        extensions=("statistics",),
        models=models,
        outcomes=outcomes,
        notes=("the gRPC form was not checked: --grpc grpc://HOST:PORT",),
    )
