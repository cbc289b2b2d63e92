"""The artifacts of a search: the original and what was made from it, each checked against it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.api.artifacts.opening import bundled_form, open_artifact
from modeldyno.api.artifacts.recipe import Recipe, Situation
from modeldyno.api.artifacts.recipes import make_artifacts
from modeldyno.api.judging.answers import CHUNK_ROWS, answer_rows, resolved_task
from modeldyno.errors import DynoError, ToolError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.parity import check_parity
from modeldyno.protocols import Dataset, Progress, Session, Tensors
from modeldyno.quality.answers import answers_from
from modeldyno.quality.asked import asked_by
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.judge import judge_quality
from modeldyno.quality.rows import Answers, Rows
from modeldyno.records.artifact import Artifact, Model, Parity
from modeldyno.records.base import Estimate
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.objective import Objective
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.search import Assessed, Refusal

_ROUNDED = frozenset({"int8", "int4", "fp16", "bf16"})
"""Precisions in which a row's answer may depend on the rows beside it."""
_MOST_ALONE = 1_000
"""Rows that are answered each in a call of its own as well."""


def unchanged(change: QualityChange) -> QualityChange:
    """The change of the original against itself: none, by identity and not as far as these rows can tell."""
    nothing = Estimate(value=0.0, low=0.0, high=0.0)
    return msgspec.structs.replace(
        change,
        drops=dict.fromkeys(change.drops, nothing),
        classes={name: dict.fromkeys(drops, nothing) for name, drops in change.classes.items()},
        flip_rate=nothing,
    )


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes and assesses the artifacts of one model over one dataset."""

    model: Model
    dataset: Dataset
    is_real_data: bool
    objectives: tuple[Objective, ...]
    work: Path
    trust: bool
    seed: int
    progress: Progress
    is_time_up: Callable[[], bool] = lambda: False
    """Whether nothing more is to be compressed."""
    recipes: tuple[Recipe, ...] | None = None
    """What is made; None: all that a search tries."""
    asked: tuple[str, ...] = ()
    """Recipes that were asked for by name."""
    budget_ns: int = 120_000_000_000
    """Of which an export of the model as it came takes no more."""
    place: Path | None = None
    """Where artifacts are written; None: in a folder of `work`."""

    def make(self) -> tuple[list[Assessed], list[Refusal]]:
        """The original first, then every artifact that could be made and is consistent; the rest as refusals."""
        folder = self.place or self.work / "artifacts"
        original = bundled_form(self.model, folder, trust=self.trust, budget_ns=self.budget_ns)
        session = self.open(original)
        try:
            answers = self._answers(session)
            as_it_came = self._assessed(original, self._assess(answers), unchanged(self._compare(answers, answers)))
            derived, refused = make_artifacts(
                original,
                self._situation(folder, as_it_came),
                self.recipes,
                progress=self.progress,
                is_time_up=self.is_time_up,
            )
            assessed = [as_it_came]
            for artifact in derived:
                one = self._against(artifact, session, answers, refused)
                if one is not None:
                    assessed.append(one)
        finally:
            session.close()
        return assessed, refused

    def _situation(self, folder: Path, as_it_came: Assessed) -> Situation:
        absolute = {one.text for one in self.objectives if one.kind == "quality"}
        return Situation(
            model=self.model,
            dataset=self.dataset,
            folder=folder,
            cpu_flags=capture_environment().cpu_flags,
            trust=self.trust,
            asked=self.asked,
            is_short_of_quality=any(one.objective in absolute and one.verdict != "pass" for one in as_it_came.verdicts),
        )

    def open(self, artifact: Artifact, settings: SessionSettings | None = None) -> Session:
        """A session of an artifact, as it is meant to be opened unless `settings` say otherwise."""
        return open_artifact(artifact, settings, trust=self.trust)

    def _against(
        self, artifact: Artifact, original: Session, answers: Answers, refused: list[Refusal]
    ) -> Assessed | None:
        """The artifact with its parity and quality; None (and a refusal) when it does not even agree with itself."""
        try:
            candidate = self.open(artifact)
        except DynoError as problem:
            refused.append(Refusal(name=artifact.name, stage="load", reason=problem.in_a_line))
            return None
        try:
            parity = self._parity(original, candidate)
        except ToolError as problem:
            candidate.close()
            refused.append(Refusal(name=artifact.name, stage="parity", reason=problem.in_a_line))
            return None
        try:
            if not parity.batch_consistent and artifact.precision not in _ROUNDED:
                reason = "answers depend on the batch size: batch 1 and batch 3 disagree (a frozen batch dimension?)"
                refused.append(Refusal(name=artifact.name, stage="parity", reason=reason))
                return None
            mine, change = self._answers_as_served(candidate, artifact, answers)
        finally:
            candidate.close()
        checked = msgspec.structs.replace(artifact, parity=parity)
        return self._assessed(checked, self._assess(mine), change)

    def _parity(self, original: Session, candidate: Session) -> Parity:
        def answers(outputs: Tensors) -> NDArray[np.generic]:
            return answers_from(outputs, original.signature, self.model.task, self.model.classes)

        return check_parity(
            original,
            candidate,
            self.dataset,
            task=self.model.task,
            answers=answers,
            data="real" if self.is_real_data else "synthetic",
        )

    def _answers_as_served(
        self, candidate: Session, artifact: Artifact, reference: Answers
    ) -> tuple[Answers, QualityChange]:
        """Those that agree less with the original's: of all rows by the hundred, or of the first ones each alone.

        Dynamic int8 takes its scales from all rows of a batch, and kernels for another batch size may round otherwise.
        A server forms batches as requests come, so what is promised must hold for a row in company and for one alone.
        """
        together = self._answers(candidate)
        found = [(together, self._compare(reference, together))]
        if artifact.precision in _ROUNDED and candidate.signature.has_batch_dimension and not self.is_time_up():
            alone = self._answers(candidate, rows=min(self.dataset.rows, _MOST_ALONE), at_once=1).followed_by(together)
            found.append((alone, self._compare(reference, alone)))
        return max(found, key=lambda one: one[1].flips)

    def _answers(self, session: Session, *, rows: int | None = None, at_once: int = CHUNK_ROWS) -> Answers:
        return answer_rows(
            session,
            self.dataset,
            task=resolved_task(self.model.task, self.dataset.labels),
            classes=self.model.classes,
            progress=self.progress,
            rows=rows,
            at_once=at_once,
        )

    def _assess(self, answers: Answers) -> Quality | None:
        labels = self.dataset.labels
        if labels is None:
            return None
        task = resolved_task(self.model.task, labels)
        return assess_rows(answers, self._rows(), task, seed=self.seed, asked=asked_by(self.objectives))

    def _compare(self, reference: Answers, answers: Answers) -> QualityChange:
        task = resolved_task(self.model.task, self.dataset.labels)
        asked = asked_by(self.objectives)
        return compare_rows(reference, answers, self._rows(), task, seed=self.seed, asked=asked)

    def _rows(self) -> Rows:
        return Rows(self.dataset.labels, self.dataset.digest, self.model.classes)

    def _assessed(self, artifact: Artifact, quality: Quality | None, change: QualityChange) -> Assessed:
        verdicts = tuple(
            judge_quality(objective, quality, change) for objective in self.objectives if objective.is_about_quality
        )
        return Assessed(artifact=artifact, quality=quality, change=change, verdicts=verdicts)
