"""What was made of a model, held against it: operations, speed in turns, and why it is not faster where it is not."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

import msgspec

from modeldyno import __version__
from modeldyno.api.artifacts.gaps import gaps_of
from modeldyno.api.artifacts.opening import artifact_of, usual_runtime
from modeldyno.api.profiled.anatomy import dissect
from modeldyno.api.profiled.effective import with_effective_precision
from modeldyno.api.profiled.peaks import peaks_if_kept
from modeldyno.api.profiled.subject import cost_of
from modeldyno.api.workshop.candidates import Maker
from modeldyno.api.workshop.lanes import batch_of
from modeldyno.bench.ways import Turns, take_turns
from modeldyno.clock import Clock
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import DataError, InputError
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Dataset
from modeldyno.records.anatomy import Anatomy, GraphCost
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.derivation import Derivation, Derived, DerivedSpeed
from modeldyno.records.peaks import Peaks
from modeldyno.records.search import Assessed, Refusal
from modeldyno.records.signature import Signature
from modeldyno.reports.robustness import gain_texts
from modeldyno.search.averages import cost_text, is_averaged
from modeldyno.search.choose import quality_gate
from modeldyno.search.losses import is_compressed, why_not_faster
from modeldyno.search.space import deployment_of
from modeldyno.stats.blocks import median_estimate, paired_ratio
from modeldyno.units import format_duration

_LARGE_BATCH = 32
_LONGEST_CALL_NS = 500_000_000
"""A large batch that takes longer is not measured: nine calls of each artifact would take minutes."""
_BLOCK_NS = 10_000_000
_ANATOMY_NS = 1_000_000_000
_MADE_ROWS = 512
MADE_UP = "the rows were made up: scales taken from them, and answers compared on them, are those of no real data"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Makes artifacts of a model, and holds each against it."""

    maker: Maker
    clock: Clock
    budget_ns: int
    """For the speed."""

    def derive(self, out: str) -> Derivation:
        """Make, judge, count and measure; whatever cannot be is told with its reason.

        Args:
            out: where the artifacts are or will be.
        """
        maker, environment = self.maker, capture_environment()
        assessed, refused = maker.make()
        _, gated = quality_gate(assessed)
        refused += [Refusal(name=name, stage="quality", reason=reason) for name, reason in gated]
        original, *made = self._measured(assessed)
        return Derivation(
            tool_version=__version__,
            derived_at=self.clock.wall_time(),
            environment=environment,
            model=maker.model,
            data=maker.dataset.describe() if maker.is_real_data else None,
            rows=maker.dataset.rows,
            labelled=maker.dataset.labels is not None,
            original=original,
            made=tuple(made),
            refused=tuple(refused),
            out=out,
            notes=() if maker.is_real_data else (MADE_UP,),
        )

    def _measured(self, assessed: list[Assessed]) -> list[Derived]:
        speeds = self._speeds(assessed) if len(assessed) > 1 else {}
        # Those of an earlier profile: measuring them here would take longer than all the rest.
        peaks = peaks_if_kept(capture_environment(), self.maker.progress)
        return [
            Derived(
                assessed=self._effective(one),
                runtime=usual_runtime(one.artifact),
                cost=self._cost(one.artifact),
                speeds=speeds.get(one.artifact.name, ()),
                why=_gain(one, speeds.get(one.artifact.name, ()))
                or self._why(one.artifact, speeds.get(one.artifact.name, ()), peaks),
            )
            for one in assessed
        ]

    def _effective(self, assessed: Assessed) -> Assessed:
        artifact = assessed.artifact
        batch = batch_of(self.maker.dataset, _sizes(artifact.signature, self.maker.dataset.rows)[0])
        told = with_effective_precision(artifact, usual_runtime(artifact), batch, trust=self.maker.trust)
        return msgspec.structs.replace(assessed, artifact=told)

    def _speeds(self, assessed: list[Assessed]) -> dict[str, tuple[DerivedSpeed, ...]]:
        """All in turns, a single row and a batch; nothing of the original against itself."""
        progress, dataset = self.maker.progress, self.maker.dataset
        names = [one.artifact.name for one in assessed]
        found: dict[str, tuple[DerivedSpeed, ...]] = dict.fromkeys(names, ())
        with ExitStack() as stack:
            sessions = {
                one.artifact.name: stack.enter_context(closing(self.maker.open(one.artifact))) for one in assessed
            }
            for number, rows in enumerate(_sizes(self.maker.model.signature, dataset.rows)):
                progress.start(f"measuring calls of {rows} {'row' if rows == 1 else 'rows'} in turns")
                batch = batch_of(dataset, rows)
                ways = {name: partial(session.run, batch) for name, session in sessions.items()}
                if number and self._is_long(ways[names[0]]):
                    progress.end()
                    limit = format_duration(_LONGEST_CALL_NS)
                    progress.say(f"a call of {rows} rows takes more than {limit}: only single rows were measured")
                    break
                blocks = take_turns(ways, self._turns(), clock=self.clock)
                for name in names[1:]:
                    found[name] += (_speed(rows, blocks[names[0]], blocks[name]),)
                progress.end()
        return found

    def _turns(self) -> Turns:
        return Turns(blocks=20, block_ns=_BLOCK_NS, deadline_ns=self.clock.now_ns() + self.budget_ns // 2)

    def _is_long(self, call: Callable[[], object]) -> bool:
        started = self.clock.now_ns()
        call()
        return self.clock.now_ns() - started > _LONGEST_CALL_NS

    def _cost(self, artifact: Artifact) -> GraphCost | None:
        rows = _sizes(artifact.signature, self.maker.dataset.rows)[0]
        try:
            return cost_of(artifact, batch_of(self.maker.dataset, rows))
        except InputError as problem:
            self.maker.progress.say(f"{artifact.name}: {problem}: {problem.why}")
            return None

    def _why(self, artifact: Artifact, speeds: tuple[DerivedSpeed, ...], peaks: Peaks | None) -> str:
        if (
            not speeds
            or not is_compressed(artifact)
            or any(one.ratio.low is not None and one.ratio.low > 1 for one in speeds)
        ):
            return ""
        known = why_not_faster(
            artifact,
            speeds[-1].ratio.value,
            parameters=self.maker.model.parameters,
            cpu_flags=capture_environment().cpu_flags,
            anatomy=self._anatomy(artifact, speeds[-1].rows, peaks),
        )
        return known or "nothing that was measured says why"

    def _anatomy(self, artifact: Artifact, rows: int, peaks: Peaks | None) -> Anatomy:
        self.maker.progress.start(f"looking inside a call of {artifact.name}")
        try:
            return dissect(
                artifact,
                deployment_of(artifact, usual_runtime(artifact), threads=1, instances=1, batch=rows),
                batch_of(self.maker.dataset, rows),
                peaks=peaks,
                deadline_ns=self.clock.now_ns() + _ANATOMY_NS,
                clock=self.clock,
            )
        finally:
            self.maker.progress.end()


def _gain(assessed: Assessed, speeds: tuple[DerivedSpeed, ...]) -> str:
    if not speeds or not is_averaged(assessed.artifact):
        return ""
    cost = cost_text(speeds[-1].ratio, rows=speeds[-1].rows, than="the model as it came")
    return "; ".join([*gain_texts(assessed.quality, assessed.change), cost])


def _sizes(signature: Signature, rows: int) -> tuple[int, ...]:
    """Rows a call: one, and a batch where there are as many; or what the signature fixes."""
    first = signature.inputs[0].shape[0] if signature.inputs and signature.inputs[0].shape else 1
    if isinstance(first, int):
        return (first,)
    can_batch = signature.has_batch_dimension and rows > 1
    return (1, min(_LARGE_BATCH, rows)) if can_batch else (1,)


def _speed(rows: int, original: list[float], mine: list[float]) -> DerivedSpeed:
    return DerivedSpeed(
        rows=rows,
        original_ns=median_estimate(original),
        time_ns=median_estimate(mine),
        ratio=paired_ratio(original, mine),
    )


def rows_for(
    model: Model, data: str | PathLike[str] | None, label: str | None, seed: int, *, trust: bool = False
) -> Dataset:
    """The rows to calibrate with and to compare on; made up from the signature when there are none.

    Raises:
        DataError: they do not fit the model, or there are none in the file.
    """
    if data is None:
        return synthetic_dataset(model.signature, rows=_MADE_ROWS, seed=seed)
    dataset = open_dataset(
        Path(data), model.signature, label=label, takes_gaps=gaps_of(artifact_of(model), trust=trust)
    )
    if dataset.rows < 1:
        raise DataError(f"{data} holds no rows")
    return dataset
