"""`tune`: from a model file to a proven bundle."""

from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from modeldyno import __version__
from modeldyno.api.artifacts.gaps import gaps_of
from modeldyno.api.artifacts.opening import artifact_of, is_intact
from modeldyno.api.judging.answers import resolved_task
from modeldyno.api.load.token_objectives import refuse_token_objectives
from modeldyno.api.load.workloads import check_repeats
from modeldyno.api.reporting import SEARCH, page_of
from modeldyno.api.workshop.candidates import Maker
from modeldyno.api.workshop.packing import pack
from modeldyno.api.workshop.repetition import Traffic, traffic_of
from modeldyno.api.workshop.workshop import RealWorkshop
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.deployment.bundle import refuse_existing
from modeldyno.errors import DataError, UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.protocols import Dataset, Progress, Silent
from modeldyno.quality.judge import labels_needed
from modeldyno.quality.labels import note_unseen_labels
from modeldyno.records.artifact import Model, Task
from modeldyno.records.bundle import Datasheet
from modeldyno.records.files import digest_bytes, read_record, write_atomically, write_record
from modeldyno.records.objective import Objective, parse_objectives
from modeldyno.records.search import Search
from modeldyno.records.workload import Repeats
from modeldyno.search.caching import without_cache
from modeldyno.search.search import run_search
from modeldyno.seeds import DEFAULT_SEED

SYNTHETIC_ROWS = 512
MAKING_SHARE = 0.3
"""Of the budget: after that nothing more is compressed."""
DEFAULT_QUALITY = "flip_rate<=1%"
"""Asked when the user says nothing about quality: a speed-up that changes answers is never recommended unseen."""


def tune(  # noqa: PLR0913 - keyword-only, each an option of the verb
    model: str | PathLike[str],
    *,
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    slo: str = "",
    rate_per_s: float = 100.0,
    budget_ns: int = 90_000_000_000,
    out: str | PathLike[str] = "out",
    trust: bool = False,
    force: bool = False,
    task: Task | None = None,
    seed: int = DEFAULT_SEED,
    repeats: Repeats | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Search:
    """Find the fastest deployment that keeps the quality, prove it over HTTP, and write a bundle and a report.

    Under `out` it leaves `NAME.bundle`, `NAME.html` and `NAME.tune`, the search's own directory. Stopped (Ctrl-C, or
    killed), the same call goes on where it was, with the artifacts, the race and the proofs that are done.

    Args:
        model: model file.
        data: rows and labels held out from training; without, inputs are made up and quality cannot be judged.
        label: column or array that holds the labels.
        slo: objectives, such as `"p99<20ms, accuracy_drop<=1%"`; `flip_rate<=1%` is added when none is about quality.
        rate_per_s: requests per second of the proof.
        budget_ns: time for the whole search.
        out: directory for what is written.
        trust: allow files that can run code when they are loaded.
        force: replace an existing bundle.
        task: what the model does, when its file does not say.
        seed: of resampling, arrivals and made-up inputs.
        repeats: how many requests ask what was asked before; None: as many as rows of the data repeat others. Where
            some do, finalists are proven with and without a cache of answers.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Raises:
        InputError, TrustError, DataError, ObjectiveError, OutputError: bad input; nothing was written then.
    """
    progress, clock, target = progress or Silent(), clock or SystemClock(), Path(out)
    if budget_ns <= 0:
        raise UsageError("the budget must be above zero", hint="for example --budget 90s")
    check_repeats(repeats)
    objectives = _objectives(slo)
    examined = examine(Path(model), trust=trust, task=task)
    bundle_path = target / f"{examined.name}.bundle"
    dataset = _dataset(examined, data, label, objectives, seed, trust=trust)
    work, started_ns = target / f"{examined.name}.tune", clock.now_ns()
    traffic = traffic_of(repeats, dataset, examined.signature, is_real_data=data is not None, seed=seed)
    fresh = _fresh(examined, dataset, data, objectives, rate_per_s, budget_ns, traffic, clock)
    search = _taken_over(work, fresh, progress)
    refuse_existing(bundle_path, force=force or search.resumed)
    maker = Maker(
        model=examined,
        dataset=dataset,
        is_real_data=data is not None,
        objectives=objectives,
        work=work,
        trust=trust,
        seed=seed,
        progress=progress,
        is_time_up=lambda: clock.now_ns() > started_ns + MAKING_SHARE * budget_ns,
        budget_ns=budget_ns,
    )
    workshop = RealWorkshop(
        maker=maker,
        dataset=dataset,
        objectives=objectives,
        rate_per_s=rate_per_s,
        clock=clock,
        artifacts={one.artifact.name: one.artifact for one in search.assessed},
        repeats=traffic.repeats,
    )

    def save(search: Search) -> None:
        write_record(work / SEARCH, search)

    save(search)
    search = run_search(search, workshop, clock=clock, progress=progress, save=save)
    return _deliver(search, workshop, bundle=bundle_path, page=target / f"{examined.name}.html", force=force)


def _objectives(slo: str) -> tuple[Objective, ...]:
    given = parse_objectives(slo) if slo.strip() else ()
    refuse_token_objectives(given, verb="tune")
    if any(one.is_about_quality for one in given):
        return given
    return (*given, *parse_objectives(DEFAULT_QUALITY))


def _dataset(
    model: Model,
    data: str | PathLike[str] | None,
    label: str | None,
    objectives: tuple[Objective, ...],
    seed: int,
    *,
    trust: bool,
) -> Dataset:
    dataset = (
        synthetic_dataset(model.signature, rows=SYNTHETIC_ROWS, seed=seed)
        if data is None
        else open_dataset(Path(data), model.signature, label=label, takes_gaps=gaps_of(artifact_of(model), trust=trust))
    )
    for objective in objectives:
        if objective.is_about_quality and objective.metric != "flip_rate" and dataset.labels is None:
            raise labels_needed(objective, has_data=data is not None)
    if dataset.rows < 1:
        raise DataError(f"{data} holds no rows")
    return dataset


def _fresh(
    model: Model,
    dataset: Dataset,
    data: str | PathLike[str] | None,
    objectives: tuple[Objective, ...],
    rate_per_s: float,
    budget_ns: int,
    traffic: Traffic,
    clock: Clock,
) -> Search:
    environment = capture_environment()
    decides: list[Any] = [
        model.digest,
        dataset.digest,
        [one.text for one in objectives],
        rate_per_s,
        environment.cpu_model,
        environment.cores,
        environment.libraries,
        traffic.repeats,
    ]
    return Search(
        tool_version=__version__,
        fingerprint=digest_bytes(msgspec.json.encode(decides)),
        started_at=clock.wall_time(),
        state="running",
        elapsed_ns=0,
        budget_ns=budget_ns,
        environment=environment,
        model=model,
        data=None if data is None else dataset.describe(),
        rows=dataset.rows,
        labelled=dataset.labels is not None,
        objectives=objectives,
        rate_per_s=rate_per_s,
        repeats=traffic.repeats,
        repeats_from=traffic.repeats_from,
        cache=traffic.cache,
    )


def _taken_over(work: Path, fresh: Search, progress: Progress) -> Search:
    """The stopped search in `work` when it is the same one and its files are intact; else `fresh`."""
    path = work / SEARCH
    if not path.is_file():
        return fresh
    earlier = read_record(path, Search)
    if earlier.state == "complete":
        return fresh
    if earlier.fingerprint != fresh.fingerprint:
        progress.say(f"{work} holds a stopped search for something else (or on another machine); starting anew")
        return fresh
    artifacts = [one.artifact for one in earlier.assessed]
    if not all(is_intact(one) for one in artifacts):
        progress.say(f"the artifacts in {work} are not those of its search; starting anew")
        return fresh
    done = ", ".join(earlier.measured_at) or "nothing yet"
    progress.say(f"going on with the search stopped earlier (done: {done}; proofs: {len(earlier.finalists)})")
    return msgspec.structs.replace(earlier, state="running", budget_ns=fresh.budget_ns, resumed=True)


def _deliver(search: Search, workshop: RealWorkshop, *, bundle: Path, page: Path, force: bool) -> Search:
    """Write bundle and report; the record in the search's own directory names both."""
    work = workshop.maker.work
    search = msgspec.structs.replace(search, advice=(*search.advice, *_unseen_labels(workshop.maker)))
    if search.winner is not None:
        pack(
            search.winner,
            workshop.artifacts[search.winner.artifact],
            workshop.maker,
            directory=bundle,
            datasheet=_datasheet(search, workshop.clock),
            clock=workshop.clock,
            force=force or search.resumed,
        )
        search = msgspec.structs.replace(search, bundle=str(bundle))
    search = msgspec.structs.replace(search, report=str(page))
    write_record(work / SEARCH, search)
    write_atomically(page, page_of(work).encode())
    return search


def _unseen_labels(maker: Maker) -> tuple[str, ...]:
    labels = maker.dataset.labels
    if labels is None or resolved_task(maker.model.task, labels) != "classification":
        return ()
    note = note_unseen_labels(labels, maker.model.classes)
    return () if note is None else (note,)


def _datasheet(search: Search, clock: Clock) -> Datasheet:
    assert search.winner is not None  # noqa: S101 - only called for a search with a winner
    assessed = next(one for one in search.assessed if one.artifact.name == search.winner.artifact)
    finalist = next((one for one in search.finalists if one.deployment == search.winner), None)
    plain = without_cache(search.winner)
    point = next((one for one in search.points if one.deployment == plain), None)
    return Datasheet(
        tool_version=__version__,
        created_at=clock.wall_time(),
        environment=search.environment,
        items_per_s=point.items_per_s if point is not None else None,
        speedup=search.speedup.ratio if search.speedup is not None else None,
        quality=assessed.quality,
        quality_change=assessed.change,
        proof=finalist.proof if finalist is not None else None,
    )
