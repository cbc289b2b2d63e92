"""Small records for the tests of the search."""

from modeldyno.records.anatomy import Anatomy, OperatorTime
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.base import Estimate
from modeldyno.records.bundle import Proof
from modeldyno.records.deployment import Deployment
from modeldyno.records.environment import Environment
from modeldyno.records.objective import parse_objectives
from modeldyno.records.quality import QualityChange
from modeldyno.records.run import LatencySummary, Summary
from modeldyno.records.search import Assessed, Finalist, Search
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.records.speed import SpeedPoint
from modeldyno.records.verdict import Answer, MeasurementVerdict, ObjectiveVerdict
from modeldyno.records.workload import Workload
from modeldyno.search.space import deployment

SIGNATURE = Signature(
    inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", 2)),),
    outputs=(TensorSpec(name="label", datatype="INT64", shape=("batch",)),),
)
MODEL = Model(
    name="m", path="m.skops", format="sklearn", description="MLPClassifier", task="classification", classes=(0, 1),
    signature=SIGNATURE, precision="fp64", size_bytes=1, digest="sha256:m", parameters=9_482, made_with="scikit-learn",
)  # fmt: skip
ENVIRONMENT = Environment(
    cpu_model="x", cpu_flags=("avx512_vnni",), cores_host=2, cores_affinity=2, cores_quota=None, cores=2, governor=None,
    memory_bytes=1, memory_limit_bytes=None, operating_system="x", kernel="x", python="3", libraries={},
    load_average_1min=0,
)  # fmt: skip
NO_LATENCY = LatencySummary(mean_ns=None, p50_ns=None, p90_ns=None, p95_ns=None, p99_ns=None, p999_ns=None, max_ns=None)


def artifact(name: str, precision: str = "fp32") -> Artifact:
    return Artifact(
        name=name, path=f"{name}.onnx", format="sklearn" if name == "original" else "onnx",
        precision=precision,  # type: ignore[arg-type]
        recipe="", digest=f"sha256:{name}", size_bytes=1, parent_digest=None, signature=SIGNATURE,
    )  # fmt: skip


def verdict(answer: Answer, objective: str = "accuracy_drop<=1%") -> ObjectiveVerdict:
    rows = 5_000 if answer == "cannot_tell" else None
    return ObjectiveVerdict(
        objective=objective, verdict=answer, measured=None, evidence=f"it is {answer}", rows_to_decide=rows
    )


def assessed(name: str, answer: Answer = "pass", precision: str = "fp32") -> Assessed:
    change = QualityChange(rows=9, drops={}, flips=0, flip_rate=Estimate(value=0), discordant_rows={})
    return Assessed(artifact=artifact(name, precision), quality=None, change=change, verdicts=(verdict(answer),))


def point(
    name: str, items: float, *, threads: int = 1, instances: int = 1, batch: int = 1, spread: float = 0.01
) -> SpeedPoint:
    runtime = "scikit-learn" if name == "original" else "onnxruntime"
    one: Deployment = deployment(name, runtime, threads=threads, instances=instances, batch=batch)  # type: ignore[arg-type]
    blocks = tuple(items * (1 + spread * wave) for wave in (-1, 1, 0, -1, 1, 0))
    return SpeedPoint(
        deployment=one,
        batch_rows=batch,
        items_per_s=Estimate(value=items, low=items * (1 - spread), high=items * (1 + spread)),
        batch_time_ns=Estimate(value=batch / items * 1e9 * instances),
        blocks=blocks,
        calls=6,
    )


def anatomy_of(one: Deployment, *operators: tuple[str, float, str], bound: str | None = None) -> Anatomy:
    """Kind, share and precision of each operator."""
    return Anatomy(
        deployment=one,
        batch_rows=one.batching.max_rows,
        operators=tuple(
            OperatorTime(
                name=kind,
                kind=kind,
                time_ns=Estimate(value=share),
                share=share,
                precision=precision,
                bound=bound,  # type: ignore[arg-type]
            )
            for kind, share, precision in operators
        ),
    )


def finalist(
    speed: SpeedPoint,
    *answers: Answer,
    valid: bool = True,
    memory: int | None = None,
    cpu_ns: float | None = None,
) -> Finalist:
    workload = Workload(url="http://x", model="m", rate_per_s=1, requests=1, warmup_requests=0, seed=0)
    summary = Summary(
        requests=1, answered=1, failures={}, duration_ns=1, rate_asked_per_s=1, rate_delivered_per_s=1,
        answered_per_s=1, goodput_per_s=None, items_per_s=1, sent_bytes=0, received_bytes=0, response_time=NO_LATENCY,
        service_time=NO_LATENCY, lateness=NO_LATENCY, split=None, autocorrelation_time=1,
    )  # fmt: skip
    judged = MeasurementVerdict(
        measurement="valid" if valid else "invalid",
        reasons=() if valid else ("late",),
        objectives=tuple(verdict(answer, "p99<20ms") for answer in answers),
    )
    proof = Proof(
        requested=workload,
        summary=summary,
        verdict=judged,
        server_cpu_ns_per_request=cpu_ns,
        server_peak_memory_bytes=memory,
    )
    return Finalist(deployment=speed.deployment, speed=speed, proof=proof)


def search(**changes: object) -> Search:
    fields: dict[str, object] = {
        "tool_version": "0", "fingerprint": "sha256:f", "started_at": "2026-01-01T00:00:00+00:00", "state": "running",
        "elapsed_ns": 0, "budget_ns": 90_000_000_000, "environment": ENVIRONMENT, "model": MODEL, "data": "d.npz",
        "rows": 9, "labelled": True, "objectives": parse_objectives("p99<20ms, accuracy_drop<=1%"), "rate_per_s": 500,
    }  # fmt: skip
    return Search(**{**fields, **changes})  # type: ignore[arg-type]
