"""The record of a search for capacity: every probed rate with its answer, and the highest rate that held."""

from typing import Literal

from modeldyno.records.base import Estimate, Record
from modeldyno.records.environment import Environment
from modeldyno.records.objective import Objective
from modeldyno.records.run import LatencySummary
from modeldyno.records.verdict import ObjectiveVerdict

ProbeAnswer = Literal["pass", "fail", "undecided", "client_limited"]
Purpose = Literal["climb", "bisect", "confirm"]
Outcome = Literal["found", "ceiling", "none", "undecided", "client_limited", "budget", "interrupted"]


class ProbeVerdict(Record, frozen=True, kw_only=True):
    """What one or more runs at one rate say."""

    answer: ProbeAnswer
    reason: str
    """One sentence with the numbers."""
    leans_to_pass: bool
    """Whether the point values meet every limit: decides where to look next, never what is claimed."""
    objectives: tuple[ObjectiveVerdict, ...]


class Probe(Record, frozen=True, kw_only=True):
    """One rate, measured in one or more runs until it could be judged."""

    rate_per_s: float
    purpose: Purpose
    verdict: ProbeVerdict
    runs: tuple[str, ...]
    """Directories of the runs that were judged together, relative to the search's own directory."""
    disturbed: int
    """Runs in which the client was the limit; all but the latest run, if it is one, were put aside."""
    duration_ns: int
    """Planned time of the measured phases that were judged together."""
    requests: int
    answered: int
    rate_delivered_per_s: float
    client_cpu_fraction: float
    """Of the busiest sending process in the latest run."""
    response_time: LatencySummary
    """Over the runs together; a percentile is None where they cannot support it."""
    measured_at: str


class Knee(Record, frozen=True, kw_only=True):
    """The rate from which waiting dominates: a latency is twice the smallest of the curve."""

    rate_per_s: float
    """Interpolated between the two rates around it."""
    level: str
    """Which latency: `p99`, or a lower one where few probes support it."""
    base_ns: float
    """The smallest value of the curve."""


class CapacitySettings(Record, frozen=True, kw_only=True):
    """How the search was asked to look."""

    from_per_s: float = 50.0
    """The rate of the first probe."""
    up_to_per_s: float | None = None
    """No higher rate is tried; None for no ceiling."""
    precision: float = 0.05
    """The search ends when the lowest failing rate is at most this share above the highest passing one."""
    probe_ns: int = 3_000_000_000
    """Measured phase of a first, short probe."""
    longest_probe_ns: int = 30_000_000_000
    """Measured time after which a rate that is still undecided stays so."""
    budget_ns: int = 120_000_000_000


class Capacity(Record, frozen=True, kw_only=True):
    """The document `capacity.json`, and what `dyno capacity --json` prints."""

    schema: Literal["modeldyno.capacity/1"] = "modeldyno.capacity/1"
    tool_version: str
    fingerprint: str
    """Digest of everything that decides the outcome (target, model, data, objectives, shape of the load, machine): a
    stopped search is taken over only by a call with the same one."""
    started_at: str
    state: Literal["running", "complete", "interrupted"]
    """`interrupted` also when the budget was spent: the same command goes on."""
    elapsed_ns: int
    environment: Environment
    target: str
    """URL, or directory of the bundle that was served."""
    model: str
    data: str | None
    """What was sent, in words; None for made-up rows."""
    objectives: tuple[Objective, ...]
    settings: CapacitySettings
    probes: tuple[Probe, ...] = ()
    """In the order in which they were last measured."""
    outcome: Outcome | None = None
    """None while it runs."""
    passed_per_s: float | None = None
    """The highest rate that met every objective, with every lower failing rate excluded."""
    confirmed: bool = False
    """Whether a further, longer run at `passed_per_s`, judged alone, passed too."""
    failed_per_s: float | None = None
    """The lowest rate at which the service failed, or the client became the limit."""
    undecided: Estimate | None = None
    """The zone between both that could not be decided: its middle and its ends; None when there is none."""
    limit: str = ""
    """What stopped the highest rate, in words."""
    knee: Knee | None = None
    advice: tuple[str, ...] = ()
    report: str | None = None
    resumed: bool = False
    """Whether probes of an earlier, stopped search were taken over."""
