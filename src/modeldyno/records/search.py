"""The record of a search: what was tried, what was refused and why, what won and what was proven."""

from typing import Literal

import msgspec

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.base import Estimate, Record
from modeldyno.records.bundle import Proof
from modeldyno.records.deployment import Cache, Deployment
from modeldyno.records.environment import Environment
from modeldyno.records.objective import Objective
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.speed import SpeedPoint
from modeldyno.records.verdict import ObjectiveVerdict
from modeldyno.records.workload import Repeats

RefusalStage = Literal["convert", "compress", "parity", "quality", "load", "bench", "proof"]


class Refusal(Record, frozen=True, kw_only=True):
    """A candidate that is not offered, with the reason in words."""

    name: str
    """Artifact or deployment."""
    stage: RefusalStage
    reason: str


class Assessed(Record, frozen=True, kw_only=True):
    """An artifact with its quality."""

    artifact: Artifact
    quality: Quality | None
    change: QualityChange | None
    verdicts: tuple[ObjectiveVerdict, ...]
    """Of the quality objectives only."""


class Finalist(Record, frozen=True, kw_only=True):
    """A deployment that was put under real load."""

    deployment: Deployment
    speed: SpeedPoint
    proof: Proof


class SpeedUp(Record, frozen=True, kw_only=True):
    """The winner against the model as it came, from paired interleaved blocks in process."""

    ratio: Estimate
    """Winner at its batch size over the original runtime, one row a call, one thread, one instance."""
    same_batch: Estimate | None
    """Both at the winner's batch size: what is left when batching alone is taken out."""
    reference: SpeedPoint


class Search(Record, frozen=True, kw_only=True):
    """The document `search.json`, and what `dyno tune --json` prints."""

    schema: Literal["modeldyno.search/1"] = "modeldyno.search/1"
    tool_version: str
    fingerprint: str
    """Digest of everything that decides the outcome (model, data, objectives, rate, machine, versions): a stopped
    search is taken over only by a call with the same one."""
    started_at: str
    state: Literal["running", "complete", "interrupted"]
    elapsed_ns: int
    budget_ns: int
    environment: Environment
    model: Model
    data: str | None
    """What the data are, in words: path, rows, features, labels."""
    rows: int
    labelled: bool
    objectives: tuple[Objective, ...]
    rate_per_s: float
    repeats: Repeats | None = None
    """How the traffic repeats itself, in every proof; None: it does not."""
    repeats_from: Literal["asked", "data", "nothing"] = "nothing"
    """Who says so: the user, or the rows of the data; `nothing` when there are no data either."""
    cache: Cache | None = None
    """What finalists are proven with, beside without; None: no cache is tried."""
    assessed: tuple[Assessed, ...] = ()
    refused: tuple[Refusal, ...] = ()
    points: tuple[SpeedPoint, ...] = ()
    anatomies: tuple[Anatomy, ...] = ()
    """Of compressed artifacts that turned out slower than what they were made from: where the time of a call goes."""
    finalists: tuple[Finalist, ...] = ()
    winner: Deployment | None = None
    speedup: SpeedUp | None = None
    verdicts: tuple[ObjectiveVerdict, ...] = ()
    """Every objective, answered for the winner."""
    why: tuple[str, ...] = ()
    """Why the winner won, one sentence each."""
    advice: tuple[str, ...] = ()
    """What would make the answer better: more rows, a longer budget, a quieter machine."""
    bundle: str | None = None
    report: str | None = None
    resumed: bool = False
    """Whether measurements of an earlier, stopped search were taken over."""
    measured_at: dict[str, str] = msgspec.field(default_factory=dict)
    """Stage to UTC time, so that a resumed search shows what is old."""
