"""The artifacts of a search: the original and what was made from it, each checked against it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.api.answers import answer_all, resolved_task
from modeldyno.api.choices import RUNTIMES_OF, runtime_named
from modeldyno.compression.dynamic_int8 import compress_dynamic_int8
from modeldyno.errors import DynoError, ToolError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.conversion import convert_to_onnx
from modeldyno.models.parity import check_parity
from modeldyno.models.scikit import load_scikit, save_skops
from modeldyno.protocols import Dataset, Progress, Session, Tensors
from modeldyno.quality.answers import answers_from
from modeldyno.quality.assess import assess, compare
from modeldyno.quality.judge import judge_quality
from modeldyno.records.artifact import Artifact, Model, Parity
from modeldyno.records.base import Estimate
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.files import digest_file
from modeldyno.records.objective import Objective
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.search import Assessed, Refusal

CONVERSION_LIMIT_NS = 120_000_000_000
CONVERSION_MEMORY_BYTES = 8 * 2**30


def unchanged(change: QualityChange) -> QualityChange:
    """The change of the original against itself: none, by identity and not as far as these rows can tell."""
    nothing = Estimate(value=0.0, low=0.0, high=0.0)
    return msgspec.structs.replace(change, drops=dict.fromkeys(change.drops, nothing), flip_rate=nothing)


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

    def make(self) -> tuple[list[Assessed], list[Refusal]]:
        """The original first, then every artifact that could be made and is consistent; the rest as refusals."""
        refused: list[Refusal] = []
        original = self._original()
        session = self.open(original)
        try:
            answers = self._answers(session)
            quality = self._assess(answers)
            assessed = [self._assessed(original, quality, unchanged(self._compare(answers, answers)))]
            for artifact in self._derived(original, refused):
                one = self._against(artifact, session, answers, refused)
                if one is not None:
                    assessed.append(one)
        finally:
            session.close()
        return assessed, refused

    def open(self, artifact: Artifact, settings: SessionSettings | None = None) -> Session:
        """A session of an artifact in its first runtime."""
        runtime = runtime_named(RUNTIMES_OF[artifact.format][0], trust=self.trust)
        return runtime.open(Path(artifact.path), artifact.signature, settings or SessionSettings())

    def _original(self) -> Artifact:
        path, recipe = Path(self.model.path), "as it came"
        if self.model.format == "sklearn" and path.suffix != ".skops":
            # A bundle holds no pickle, so the trusted file is saved again in a form that cannot run code.
            path, recipe = self.work / "artifacts" / "original.skops", f"re-saved from {path.name} without pickle"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_skops(load_scikit(Path(self.model.path), trust=self.trust), path)
        return Artifact(
            name="original",
            path=str(path),
            format=self.model.format,
            precision=self.model.precision,
            recipe=recipe,
            digest=digest_file(path),
            size_bytes=path.stat().st_size,
            parent_digest=None,
            signature=self.model.signature,
        )

    def _derived(self, original: Artifact, refused: list[Refusal]) -> list[Artifact]:
        """ONNX from scikit-learn, then dynamic int8 from whatever is ONNX."""
        made = []
        plain: Artifact | None = original if original.format == "onnx" else None
        if plain is None:
            plain = self._try("onnx-fp32", "convert", refused, self._convert)
            made += [plain] if plain is not None else []
        if plain is not None and plain.precision in ("fp32", "mixed"):
            parent = plain
            int8 = self._try("onnx-int8-dynamic", "compress", refused, lambda path: self._compress(parent, path))
            made += [int8] if int8 is not None else []
        return made

    def _try(self, name: str, stage: str, refused: list[Refusal], make: Callable[[Path], Artifact]) -> Artifact | None:
        self.progress.start(f"making {name}")
        path = self.work / "artifacts" / f"{name}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return msgspec.structs.replace(make(path), name=name)
        except DynoError as problem:
            reason = f"{problem.what}: {problem.why}" if problem.why else problem.what
            refused.append(msgspec.convert({"name": name, "stage": stage, "reason": reason}, Refusal))
            return None
        finally:
            self.progress.end()

    def _convert(self, path: Path) -> Artifact:
        return convert_to_onnx(
            self.model, path, trust=self.trust, timeout_ns=CONVERSION_LIMIT_NS, memory_bytes=CONVERSION_MEMORY_BYTES
        )

    def _compress(self, parent: Artifact, path: Path) -> Artifact:
        return compress_dynamic_int8(
            parent,
            path,
            cpu_flags=capture_environment().cpu_flags,
            timeout_ns=CONVERSION_LIMIT_NS,
            memory_bytes=CONVERSION_MEMORY_BYTES,
        )

    def _against(
        self, artifact: Artifact, original: Session, answers: NDArray[np.generic], refused: list[Refusal]
    ) -> Assessed | None:
        """The artifact with its parity and quality; None (and a refusal) when it does not even agree with itself."""
        try:
            candidate = self.open(artifact)
        except DynoError as problem:
            refused.append(Refusal(name=artifact.name, stage="load", reason=f"{problem.what}: {problem.why}"))
            return None
        try:
            parity = self._parity(original, candidate)
        except ToolError as problem:
            candidate.close()
            refused.append(Refusal(name=artifact.name, stage="parity", reason=f"{problem.what}: {problem.why}"))
            return None
        try:
            # Dynamic int8 takes its scales from the whole batch, so it may honestly differ between batch sizes; the
            # quality gate judges what that does to the answers.
            if not parity.batch_consistent and artifact.precision != "int8":
                reason = "answers depend on the batch size: batch 1 and batch 3 disagree (a frozen batch dimension?)"
                refused.append(Refusal(name=artifact.name, stage="parity", reason=reason))
                return None
            mine = self._answers(candidate)
        finally:
            candidate.close()
        checked = msgspec.structs.replace(artifact, parity=parity)
        return self._assessed(checked, self._assess(mine), self._compare(answers, mine))

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

    def _answers(self, session: Session) -> NDArray[np.generic]:
        task = resolved_task(self.model.task, self.dataset.labels)
        return answer_all(session, self.dataset, task=task, classes=self.model.classes, progress=self.progress)

    def _assess(self, answers: NDArray[np.generic]) -> Quality | None:
        labels = self.dataset.labels
        if labels is None:
            return None
        task = resolved_task(self.model.task, labels)
        return assess(answers, labels, task, seed=self.seed, labels_digest=self.dataset.digest)

    def _compare(self, reference: NDArray[np.generic], answers: NDArray[np.generic]) -> QualityChange:
        task = resolved_task(self.model.task, self.dataset.labels)
        return compare(reference, answers, self.dataset.labels, task, seed=self.seed)

    def _assessed(self, artifact: Artifact, quality: Quality | None, change: QualityChange) -> Assessed:
        verdicts = tuple(
            judge_quality(objective, quality, change) for objective in self.objectives if objective.is_about_quality
        )
        return Assessed(artifact=artifact, quality=quality, change=change, verdicts=verdicts)
