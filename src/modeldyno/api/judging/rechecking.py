"""Whether what was proven of a bundle still holds here: another processor may answer otherwise with the same file."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from modeldyno.api.profiled.effective import effective_precision
from modeldyno.api.served.sessions import check_samples, inputs_of
from modeldyno.deployment.bundle import DATASHEET, MANIFEST, SAMPLES
from modeldyno.errors import InputError
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Session
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.rows import Answers, Rows
from modeldyno.records.artifact import Precision
from modeldyno.records.base import Estimate
from modeldyno.records.bundle import Bundle, Datasheet, Samples
from modeldyno.records.environment import Environment
from modeldyno.records.evaluation import Claim, Recheck
from modeldyno.records.files import read_record
from modeldyno.records.metrics import metric_named
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.units import format_fraction, format_number

_JUDGED = ("accuracy", "f1_macro", "f1_binary", "mae", "rmse", "r2")
"""Of what the datasheet holds; every bundle of a classification or a regression has some of them."""


class Seen(NamedTuple):
    """What was found here."""

    answers: Answers | None
    digest: str
    """Of the data; empty without any."""
    quality: Quality | None
    change: QualityChange | None
    """Against the model that it was made from; None when that was not the reference."""


def is_plain_bundle(directory: Path) -> bool:
    """Whether it is a bundle of one model whose samples can be read."""
    manifest = directory / MANIFEST
    return manifest.is_file() and read_record(manifest, Bundle).encryption is None


def recheck(directory: Path, session: Session, seen: Seen, *, seed: int) -> Recheck:
    """Hold what was found against what the bundle says of itself.

    Args:
        directory: of the bundle.
        session: of its artifact.
        seen: what was found here.
        seed: of the resampling.

    Raises:
        InputError: a record of the bundle is damaged.
    """
    bundle = read_record(directory / MANIFEST, Bundle)
    samples = read_record(directory / SAMPLES, Samples)
    datasheet = read_record(directory / DATASHEET, Datasheet) if (directory / DATASHEET).is_file() else None
    claims = [*_of_samples(session, samples, bundle.name), *_of_answers(bundle, samples, datasheet, seen, seed)]
    if datasheet is not None:
        claims += [*_of_quality(datasheet, seen), *_of_flips(datasheet, seen)]
    answers = {one.verdict for one in claims}
    verdict = "fail" if "fail" in answers else "cannot_tell" if "cannot_tell" in answers or not claims else "pass"
    return msgspec.convert(
        {
            "verdict": verdict,
            "claims": claims,
            "notes": list(_notes(samples, datasheet, seen)),
            "processor": _processor(directory, bundle, samples),
        },
        Recheck,
        from_attributes=True,
    )


def _of_samples(session: Session, samples: Samples, name: str) -> Iterator[Claim]:
    if not samples.samples:
        return
    problems = []
    for sample in samples.samples:
        try:
            check_samples(session, msgspec.structs.replace(samples, samples=(sample,)), source=name)
        except InputError as problem:
            problems.append(problem.what.partition(": ")[2])
    count = len(samples.samples)
    if problems:
        evidence = f"{len(problems)} of {count} sample requests are answered otherwise: {problems[0]}"
    else:
        evidence = (
            f"{count} of {count} sample requests have the expected outputs, "
            f"within {samples.relative_tolerance:g} of them"
        )
    yield Claim(what="sample requests", verdict="fail" if problems else "pass", evidence=evidence)


def _of_answers(
    bundle: Bundle, samples: Samples, datasheet: Datasheet | None, seen: Seen, seed: int
) -> Iterator[Claim]:
    """As many answers may differ from those of the machine that made it as might from those of the original."""
    if not samples.answers or seen.answers is None or samples.rows_digest != seen.digest:
        return
    rows = len(samples.answers)
    given = seen.answers.chosen(np.arange(len(seen.answers.values)) < rows)
    expected = Answers(np.asarray(samples.answers))
    flips = compare_rows(expected, given._replace(scores=None), Rows(None), bundle.task, seed=seed).flip_rate
    proven = None if datasheet is None or datasheet.quality_change is None else datasheet.quality_change.flip_rate.high
    allowed = proven or 0.0
    told = f"{round(flips.value * rows):,} of {rows:,} answers are others than where it was made"
    limit = f"; {format_fraction(allowed)} may differ from the original's, as far as was proven"
    yield Claim(
        what="expected answers",
        verdict="pass" if flips.value <= allowed else "fail",
        evidence=told + (limit if flips.value else ""),
    )


def _of_quality(datasheet: Datasheet, seen: Seen) -> Iterator[Claim]:
    proven = datasheet.quality
    if proven is None or seen.quality is None:
        return
    is_same = proven.labels_digest == seen.quality.labels_digest
    for name in _JUDGED:
        then, now = proven.metrics.get(name), seen.quality.metrics.get(name)
        if then is None or now is None or then.low is None or then.high is None:
            continue
        found = _held(name, then, now, is_same=is_same)
        if found is not None:
            yield found


def _held(name: str, then: Estimate, now: Estimate, *, is_same: bool) -> Claim | None:
    """On the same rows the value itself must be within what was proven; other rows only tell a clear change."""
    known = metric_named(name)
    is_score = known is None or known.higher_is_better
    number = format_number if known is not None and known.unit == "number" else format_fraction
    bad = then.low if is_score else then.high
    best_now = now.value if is_same else now.high if is_score else now.low
    if bad is None or best_now is None:
        return None
    is_worse = best_now < bad if is_score else best_now > bad
    if not is_same and not is_worse:
        return None
    rows = "on the same rows" if is_same else "on other rows"
    evidence = f"{number(then.value)} then, with {number(bad)} as the proven limit; {number(now.value)} here, {rows}"
    return Claim(what=name, verdict="fail" if is_worse else "pass", evidence=evidence)


def _of_flips(datasheet: Datasheet, seen: Seen) -> Iterator[Claim]:
    then, now = datasheet.quality_change, seen.change
    if then is None or now is None or datasheet.quality is None or datasheet.quality.labels_digest != seen.digest:
        return
    most = then.flip_rate.high
    if most is None:
        return
    yield Claim(
        what="answers other than the reference's",
        verdict="pass" if now.flip_rate.value <= most else "fail",
        evidence=(
            f"{then.flips:,} of {then.rows:,} then, with {format_fraction(most)} as the proven limit; "
            f"{now.flips:,} of {now.rows:,} here"
        ),
    )


def _processor(directory: Path, bundle: Bundle, samples: Samples) -> str:
    """What the processor changes: its flags, and what the products are computed in."""
    here = capture_environment().cpu_flags
    made_on = bundle.artifact.cpu_flags or bundle.build_cpu_flags
    lost = [flag for flag in made_on if flag not in here]
    gained = [flag for flag in here if flag not in made_on]
    told = [f"{words} {', '.join(flags)}" for words, flags in (("lacks", lost), ("has also", gained)) if flags]
    then, now = bundle.artifact.computed_in, _computed_in(directory, bundle, samples)
    if told:
        effect = "its file was made for that one" if bundle.artifact.cpu_flags else "answers in int8 may differ"
        told = [f"this processor {' and '.join(told)}, other than the one it was made on: {effect}"]
    if then is not None and now is not None and then != now:
        told.append(f"products are computed in {now} here, and were in {then} there")
    return "; ".join(told)


def _computed_in(directory: Path, bundle: Bundle, samples: Samples) -> Precision | None:
    if bundle.artifact.computed_in is None or not samples.samples:
        return None
    here = msgspec.structs.replace(bundle.artifact, path=str(directory / bundle.artifact.path))
    return effective_precision(here, bundle.deployment.runtime, inputs_of(samples.samples[0], bundle.signature))


def _notes(samples: Samples, datasheet: Datasheet | None, seen: Seen) -> Iterator[str]:
    if datasheet is not None:
        yield from _of_libraries(datasheet.environment, capture_environment())
    if not seen.digest:
        yield "without data only the sample requests were asked; give the rows it was proven on with --data FILE"
    elif seen.digest not in (samples.rows_digest, _proven_digest(datasheet)):
        yield "these are other rows than those it was proven on: only a clear loss of quality can be told from them"


def _proven_digest(datasheet: Datasheet | None) -> str | None:
    return datasheet.quality.labels_digest if datasheet is not None and datasheet.quality is not None else None


def _of_libraries(then: Environment, here: Environment) -> Iterator[str]:
    changed = [
        f"{name} {version} then, {here.libraries.get(name, 'not installed')} here"
        for name, version in sorted(then.libraries.items())
        if here.libraries.get(name) != version
    ]
    if changed:
        yield f"other versions: {'; '.join(changed)}"
