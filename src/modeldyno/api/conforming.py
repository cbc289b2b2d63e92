"""`conform`: what a server keeps of the Open Inference Protocol."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from modeldyno import __version__
from modeldyno.api.load.questions.ask import Ask
from modeldyno.clock import Clock, SystemClock
from modeldyno.conformance.examination import examine
from modeldyno.conformance.grpc_wire import GrpcWire
from modeldyno.conformance.http_wire import HttpWire
from modeldyno.conformance.rules import select_rules
from modeldyno.conformance.subject import ROWS, ModelFacts, Subject
from modeldyno.conformance.survey import survey_grpc, survey_http
from modeldyno.conformance.trail import Trail
from modeldyno.data.files import open_dataset
from modeldyno.errors import UsageError
from modeldyno.loadgen.target import find_address, parse_target
from modeldyno.protocols import Progress, Silent
from modeldyno.records.conformance import Conformance, RuleDescription
from modeldyno.seeds import DEFAULT_SEED

TIMEOUT_NS = 5_000_000_000


def conform(
    url: str,
    *,
    grpc_url: str | None = None,
    ask: Ask | None = None,
    rules: Sequence[str] = (),
    timeout_ns: int = TIMEOUT_NS,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Conformance:
    """Hold a server against the rules of the Open Inference Protocol.

    Models are neither loaded nor unloaded and no setting is changed; a few hundred small requests are sent, and some
    of them are broken on purpose.

    Args:
        url: base URL of the HTTP form, or `grpc://host:port` for the gRPC form alone.
        grpc_url: of the gRPC form, beside that of HTTP.
        ask: `access`, `model` (all that the server lists when None), `data` and `label` of it are used.
        rules: beginnings of names; all rules when empty.
        timeout_ns: for each answer.
        progress: where to report how far it is.
        clock: for time limits.

    Raises:
        TargetError: the server cannot be reached, or does not let us in.
        UsageError: URLs that are none, rules that are not there, no model known, data that do not fit.
    """
    ask, clock, trail = ask or Ask(), clock or SystemClock(), Trail()
    chosen = select_rules(rules)
    http_url, grpc_url = _addresses(url, grpc_url)
    for one in filter(None, (http_url, grpc_url)):
        find_address(parse_target(one), timeout_ns / 1e9, ask.access)
    http = HttpWire(http_url, ask.access, clock=clock, timeout_ns=timeout_ns, trail=trail) if http_url else None
    grpc = GrpcWire(grpc_url, ask.access, clock=clock, timeout_ns=timeout_ns, trail=trail) if grpc_url else None
    models = (ask.model,) if ask.model is not None else ()
    found = survey_http(http, models) if http is not None else survey_grpc(_needed(grpc), models)
    if ask.data is not None and len(found.models) > 1:
        names = ", ".join(facts.name for facts in found.models)
        raise UsageError(f"the data are for one of the models {names}", hint="say which one: --model NAME")
    subjects = [
        Subject(http=http, grpc=grpc, extensions=found.extensions, facts=_with_data(facts, ask), seed=DEFAULT_SEED)
        for facts in found.models
    ]
    started = clock.wall_time()
    examined = examine(chosen, subjects, trail=trail, progress=progress or Silent())
    return Conformance(
        tool_version=__version__,
        checked_at=started,
        state=examined.state,
        url=http_url,
        grpc_url=grpc_url,
        server=found.server,
        extensions=found.extensions,
        models=tuple(facts.name for facts in found.models),
        outcomes=examined.outcomes,
        notes=_notes(ask, grpc_url),
    )


def conformance_rules(prefixes: Sequence[str] = ()) -> tuple[RuleDescription, ...]:
    """The rules whose names begin with one of these, in the order in which they are checked; all without any.

    Raises:
        UsageError: no rule begins with one of them.
    """
    return tuple(rule.described() for rule in select_rules(prefixes))


def _addresses(url: str, grpc_url: str | None) -> tuple[str, str]:
    """Of the HTTP form and of the gRPC form; empty without."""
    is_grpc = parse_target(url).scheme in ("grpc", "grpcs")
    if is_grpc and grpc_url is not None:
        raise UsageError("two gRPC addresses", why=f"{url} and {grpc_url}", hint="give the HTTP address first")
    if grpc_url is not None and parse_target(grpc_url).scheme not in ("grpc", "grpcs"):
        raise UsageError(f"{grpc_url!r} is no gRPC address", hint="for example grpc://127.0.0.1:8001")
    return ("", url) if is_grpc else (url, grpc_url or "")


def _needed(wire: GrpcWire | None) -> GrpcWire:
    if wire is None:
        raise UsageError("no address was given")
    return wire


def _with_data(facts: ModelFacts, ask: Ask) -> ModelFacts:
    if ask.data is None or facts.signature is None:
        return facts
    dataset = open_dataset(Path(ask.data), facts.signature, label=ask.label)
    return replace(facts, rows=dataset.inputs(0, min(ROWS, dataset.rows)))


def _notes(ask: Ask, grpc_url: str) -> tuple[str, ...]:
    notes = []
    if ask.data is None:
        notes.append("inputs were made from the metadata; a model that takes certain values only needs --data FILE")
    if not grpc_url:
        notes.append("the gRPC form was not checked: --grpc grpc://HOST:PORT")
    return tuple(notes)
