"""Rich, realistic records for the tests of `report`: a search over the digits model, its proof, a run, a profile."""

from typing import Literal

import msgspec
import numpy as np

from modeldyno.records.artifact import Artifact, Model, Parity
from modeldyno.records.base import Estimate
from modeldyno.records.bundle import Proof
from modeldyno.records.deployment import Batching, Deployment, RuntimeName, SessionSettings
from modeldyno.records.doctor import Checkup, RuntimeState, SenderLateness
from modeldyno.records.environment import Environment
from modeldyno.records.evaluation import Evaluation
from modeldyno.records.model_statistics import Executions, ModelActivity
from modeldyno.records.objective import parse_objectives
from modeldyno.records.observation import (
    GPU_DTYPE,
    OBSERVATION_DTYPE,
    Gpu,
    GpuUse,
    MetricChange,
    ObservedProcess,
    ServerUse,
)
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.run import Floor, LatencySummary, LowLoad, QueueingEstimate, ResponseSplit, Run, Summary
from modeldyno.records.search import Assessed, Finalist, Refusal, Search, SpeedUp
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.records.speed import Comparative, Profile, SpeedPoint
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload

NASTY = "<script>alert(1)</script>\"'&"
MEASURED = 10_000
WARMUP = 500

ENVIRONMENT = Environment(
    cpu_model="Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
    cpu_flags=("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8"),
    cores_host=8,
    cores_affinity=4,
    cores_quota=2.0,
    cores=2,
    governor=None,
    memory_bytes=33_600_000_000,
    memory_limit_bytes=8_000_000_000,
    operating_system="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0-28-amd64",
    python="3.11.2",
    libraries={"numpy": "2.4.6", "onnxruntime": "1.23.2", "scikit-learn": "1.8.0", "skl2onnx": "1.20.0"},
    load_average_1min=0.42,
)
SIGNATURE = Signature(
    inputs=(TensorSpec(name="X", datatype="FP32", shape=("batch", 64)),),
    outputs=(
        TensorSpec(name="label", datatype="INT64", shape=("batch",)),
        TensorSpec(name="probabilities", datatype="FP32", shape=("batch", 10)),
    ),
)
OBJECTIVES = parse_objectives("p99<20ms, accuracy_drop<=1%, error_rate<0.1%")


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


def model(name: str = "digits") -> Model:
    return Model(
        name=name,
        path=f"models/{name}.skops",
        format="sklearn",
        description="MLPClassifier",
        task="classification",
        classes=tuple(range(10)),
        signature=SIGNATURE,
        precision="fp64",
        size_bytes=79_412,
        digest=digest("a"),
        parameters=9_034,
        made_with="scikit-learn 1.8.0",
    )


def estimate(value: float, spread: float = 0.06) -> Estimate:
    return Estimate(value=value, low=value * (1 - spread), high=value * (1 + 1.2 * spread))


def artifact(name: str, letter: str, **fields: object) -> Artifact:
    defaults: dict[str, object] = {
        "name": name,
        "path": f"artifacts/{name}.onnx",
        "format": "onnx",
        "precision": "fp32",
        "recipe": "skl2onnx 1.20.0, opset 21",
        "digest": digest(letter),
        "size_bytes": 39_208,
        "parent_digest": digest("a"),
        "signature": SIGNATURE,
        "parity": Parity(
            rows=599,
            batch_sizes=(1, 3),
            flips=0,
            flip_rate=Estimate(value=0.0, low=0.0, high=0.00614),
            largest_difference=4.2e-7,
            relative_tolerance=1e-4,
            batch_consistent=True,
            data="real",
        ),
    }
    return msgspec.convert({**defaults, **fields}, Artifact)


def quality(accuracy: float) -> Quality:
    def around(value: float) -> Estimate:
        return Estimate(value=value, low=value - 0.0151, high=min(1.0, value + 0.0117))

    return Quality(
        rows=599,
        task="classification",
        metrics={
            "accuracy": around(accuracy),
            "precision_macro": around(accuracy + 0.0004),
            "recall_macro": around(accuracy - 0.0003),
            "f1_macro": around(accuracy - 0.0001),
            "f1_weighted": around(accuracy + 0.0001),
        },
        labels_digest=digest("f"),
    )


def change(drop: float, low: float, high: float, flips: int) -> QualityChange:
    share = flips / 599
    return QualityChange(
        rows=599,
        drops={
            "accuracy": Estimate(value=drop, low=low, high=high),
            "f1_macro": Estimate(value=drop, low=low, high=high),
        },
        flips=flips,
        flip_rate=Estimate(value=share, low=max(0.0, share - 0.004), high=share + 0.008),
        discordant_rows={"accuracy": share},
    )


def assessed() -> tuple[Assessed, ...]:
    def verdict(answer: Literal["pass", "fail", "cannot_tell"], drop: Estimate, evidence: str) -> ObjectiveVerdict:
        return ObjectiveVerdict(
            objective="accuracy_drop<=1%",
            verdict=answer,
            measured=drop,
            evidence=evidence,
            rows_to_decide=2_400 if answer == "cannot_tell" else None,
        )

    original = artifact(
        "original",
        "a",
        format="sklearn",
        precision="fp64",
        recipe="as it came",
        parent_digest=None,
        parity=None,
        size_bytes=79_412,
    )
    fp32 = change(0.0, -0.0046, 0.0046, 0)
    int8 = change(0.0067, -0.0021, 0.0162, 11)
    return (
        Assessed(artifact=original, quality=quality(0.9733), change=None, verdicts=()),
        Assessed(
            artifact=artifact("onnx-fp32", "b"),
            quality=quality(0.9733),
            change=fp32,
            verdicts=(verdict("pass", fp32.drops["accuracy"], "drop 0.0 % [-0.46, 0.46] on 599 rows"),),
        ),
        Assessed(
            artifact=artifact(
                "onnx-int8-dynamic", "c", precision="int8", recipe="dynamic int8 (MatMul, Gemm)", size_bytes=14_870
            ),
            quality=quality(0.9666),
            change=int8,
            verdicts=(
                verdict(
                    "cannot_tell",
                    int8.drops["accuracy"],
                    "drop 0.67 % [-0.21, 1.62] on 599 rows; about 2,400 rows would decide",
                ),
            ),
        ),
    )


def deployment(
    name: str, *, runtime: RuntimeName = "onnxruntime", threads: int = 1, instances: int = 1, rows: int = 1
) -> Deployment:
    return Deployment(
        artifact=name,
        runtime=runtime,
        session=SessionSettings(threads=threads),
        instances=instances,
        batching=Batching(max_rows=rows),
    )


def point(served: Deployment, rate: float, standing: Comparative = "slower", *, best: float = 412_000.0) -> SpeedPoint:
    rows = served.batching.max_rows
    return SpeedPoint(
        deployment=served,
        batch_rows=rows,
        items_per_s=estimate(rate, 0.035),
        batch_time_ns=estimate(rows * served.instances / rate * 1e9, 0.03),
        blocks=(rate * 0.98, rate, rate * 1.02),
        calls=4_200,
        stopped_early=standing == "clearly_slower",
        standing=standing,
        ratio_to_best=None if standing == "best" else estimate(rate / best, 0.04),
    )


def points() -> tuple[SpeedPoint, ...]:
    return (
        point(deployment("original", runtime="scikit-learn"), 3_650.0, "clearly_slower"),
        point(deployment("original", runtime="scikit-learn", rows=8), 26_300.0, "clearly_slower"),
        point(deployment("original", runtime="scikit-learn", rows=32), 78_900.0, "clearly_slower"),
        point(deployment("onnx-fp32"), 81_200.0),
        point(deployment("onnx-fp32", rows=8), 242_000.0),
        point(deployment("onnx-fp32", rows=32), 412_000.0, "best"),
        point(deployment("onnx-fp32", rows=64), 404_000.0, "tie"),
        point(deployment("onnx-fp32", rows=32, instances=2), 389_000.0),
        point(deployment("onnx-fp32", rows=32, threads=2), 171_000.0, "clearly_slower"),
        point(deployment("onnx-int8-dynamic"), 64_100.0, "clearly_slower"),
        point(deployment("onnx-int8-dynamic", rows=8), 198_000.0),
        point(deployment("onnx-int8-dynamic", rows=32), 351_000.0),
    )


def requests(*, count: int = MEASURED, warmup: int = WARMUP, rate_per_s: float = 500.0, failed: int = 0) -> np.ndarray:
    """Poisson arrivals and lognormal latencies with a heavier tail, as a real server shows them."""
    generator = np.random.default_rng(7)
    rows = empty_requests(count + warmup)
    rows["planned_ns"] = np.cumsum(generator.exponential(1e9 / rate_per_s, count + warmup)).astype(np.int64)
    late = (generator.lognormal(10.6, 0.5, count + warmup)).astype(np.int64)
    queue = generator.lognormal(11.3, 0.7, count + warmup).astype(np.int64)
    inference = generator.lognormal(12.35, 0.35, count + warmup).astype(np.int64)
    wire = generator.lognormal(12.7, 0.3, count + warmup).astype(np.int64)
    slow = generator.random(count + warmup) < 0.012
    queue[slow] += generator.lognormal(14.8, 0.5, int(slow.sum())).astype(np.int64)
    rows["sent_ns"] = rows["planned_ns"] + late
    rows["done_ns"] = rows["sent_ns"] + queue + inference + wire + 31_000
    rows["first_byte_ns"] = rows["done_ns"] - 4_000
    rows["outcome"], rows["status"] = Outcome.OK, 200
    rows["measured"] = np.arange(count + warmup) >= warmup
    rows["rows"], rows["sent_bytes"], rows["received_bytes"] = 1, 412, 298
    rows["server_preprocess_ns"], rows["server_postprocess_ns"] = 12_000, 19_000
    rows["server_queue_ns"], rows["server_inference_ns"] = queue, inference
    rows["server_total_ns"] = queue + inference + 31_000
    for index in np.linspace(warmup + count // 2, warmup + count // 2 + 3 * failed, failed, endpoint=False).astype(int):
        rows["outcome"][index], rows["status"][index] = Outcome.HTTP_ERROR, 503
    return rows


def latency(values: np.ndarray, *, deep: bool = True) -> LatencySummary:
    def at(fraction: float) -> Estimate | None:
        value = float(np.quantile(values, fraction, method="higher"))
        return estimate(value, 0.05) if np.isfinite(value) else None

    finite = bool(np.isfinite(values).all())
    return LatencySummary(
        mean_ns=estimate(float(values.mean()), 0.02) if finite else None,
        p50_ns=at(0.5),
        p90_ns=at(0.9),
        p95_ns=at(0.95),
        p99_ns=at(0.99) if deep else None,
        p999_ns=None,
        max_ns=Estimate(value=float(values.max())) if finite else None,
    )


def summary(rows: np.ndarray) -> Summary:
    measured = rows[rows["measured"]]
    answered = measured[measured["outcome"] == Outcome.OK]
    failed = len(measured) - len(answered)
    response = (answered["done_ns"] - answered["planned_ns"]).astype(float)
    felt = np.append(response, np.full(failed, np.inf))
    service = (answered["done_ns"] - answered["sent_ns"]).astype(float)
    wire = service - answered["server_total_ns"]
    return Summary(
        requests=len(measured),
        answered=len(answered),
        failures={"http_503": failed} if failed else {},
        duration_ns=int(measured["done_ns"].max() - measured["planned_ns"].min()),
        rate_asked_per_s=500.0,
        rate_delivered_per_s=499.8,
        answered_per_s=499.8 * len(answered) / len(measured),
        goodput_per_s=499.1,
        items_per_s=499.8,
        sent_bytes=int(measured["sent_bytes"].sum()),
        received_bytes=int(measured["received_bytes"].sum()),
        response_time=latency(felt),
        service_time=latency(service),
        lateness=latency((measured["sent_ns"] - measured["planned_ns"]).astype(float)),
        split=ResponseSplit(
            response_ns=float(response.mean()),
            client_wait_ns=float((response - service).mean()) - 1_200.0,
            connect_ns=1_200.0,
            transmission_ns=float(wire.mean()),
            server_queue_ns=float(answered["server_queue_ns"].mean()),
            preprocessing_ns=12_000.0,
            inference_ns=float(answered["server_inference_ns"].mean()),
            postprocessing_ns=19_000.0,
            unaccounted_ns=0.0,
            source="server-timing",
        ),
        autocorrelation_time=1.3,
    )


WORKLOAD = Workload(
    url="http://127.0.0.1:8000",
    model="digits",
    rate_per_s=500.0,
    requests=MEASURED,
    warmup_requests=WARMUP,
    seed=20_260_101,
)
EFFECTIVE = EffectiveWorkload(
    connections=9,
    workers=1,
    client_cpu_fraction=0.11,
    server_cpu_ns=410_000_000,
    server_peak_memory_bytes=97_000_000,
)


SERVER = ServerUse(
    processes=(ObservedProcess(pid=4711, name="dyno"), ObservedProcess(pid=4712, name="dyno")),
    found_by="port",
    samples=101,
    sample_cost_ns=240_000.0,
    cpu_cores=0.0206,
    cpu_cores_peak=0.112,
    cpu_ns_per_request=41_000.0,
    resident_peak_bytes=95_000_000,
    threads_peak=7,
    voluntary_switches_per_s=1_020.0,
    involuntary_switches_per_s=3.2,
    throttled_ns=480_000_000,
    throttled_periods=11,
    energy_joules=1_420.0,
    energy_joules_per_request=0.142,
)
ACTIVITY = ModelActivity(
    from_ns=1_400_000_000,
    to_ns=21_300_000_000,
    has_warmup=False,
    answered=9_790,
    failed=14,
    rows=9_790,
    executions=6_120,
    rows_per_execution=9_790 / 6_120,
    total_ns=421_000.0,
    queue_ns=146_000.0,
    compute_input_ns=12_000.0,
    compute_infer_ns=244_000.0,
    compute_output_ns=19_000.0,
    cache_misses=9_790,
    batches=(Executions(rows=1, executions=3_500), Executions(rows=2, executions=1_900)),
)
GPU = GpuUse(
    gpu=Gpu(index=0, name="NVIDIA H200", memory_bytes=150_754_000_000, has_server=True),
    samples=100,
    utilisation=0.372,
    utilisation_peak=0.98,
    memory_peak_bytes=3_210_000_000,
    power_watts=288.4,
    energy_joules=5_768.0,
    energy_joules_per_request=0.5768,
)
METRICS = (
    MetricChange(name="http_requests_total", labels='{code="200",model="digits"}', per_s=499.2),
    MetricChange(name="http_requests_total", labels='{code="503",model="digits"}', per_s=0.7),
)


def observations(rows: np.ndarray) -> np.ndarray:
    """A server that works a third of a core, and more in the middle; its memory grows a little."""
    moments = np.arange(-300_000_000, int(rows["planned_ns"].max()) + 300_000_000, 200_000_000)
    seen = np.zeros(len(moments), OBSERVATION_DTYPE)
    share = np.where(np.abs(moments - moments.mean()) < 2e9, 0.8, 0.33)
    seen["moment_ns"] = moments
    seen["cpu_ns"] = np.cumsum(share * 200e6).astype(np.int64)
    seen["resident_bytes"] = 80_000_000 + np.arange(len(moments)) * 100_000
    seen["threads"], seen["processes"], seen["cost_ns"] = 7, 2, 240_000
    seen["throttled_ns"] = seen["throttled_periods"] = seen["energy_uj"] = -1
    return seen


def gpu_samples(rows: np.ndarray) -> np.ndarray:
    """A GPU that is busy in the middle of the run, and one that stands still."""
    moments = np.arange(-300_000_000, int(rows["planned_ns"].max()) + 300_000_000, 200_000_000)
    busy, idle = np.zeros(len(moments), GPU_DTYPE), np.zeros(len(moments), GPU_DTYPE)
    busy["moment_ns"] = idle["moment_ns"] = moments
    busy["utilisation"] = np.where(np.abs(moments - moments.mean()) < 2e9, 0.98, 0.3)
    busy["power_mw"], idle["power_mw"], idle["gpu"] = 120_000 + busy["utilisation"] * 400_000, 70_000, 1
    return np.concatenate((busy, idle))


def floor() -> Floor:
    values = np.random.default_rng(3).lognormal(11.8, 0.3, 4_000)
    return Floor(
        rate_per_s=1_000.0,
        response_time=latency(values),
        lateness=latency(values / 4),
        client_cpu_ns_per_request=61_000.0,
        highest_rate_per_s=11_000.0,
    )


def verdicts() -> tuple[ObjectiveVerdict, ...]:
    return (
        ObjectiveVerdict(
            objective="p99<20ms",
            verdict="pass",
            measured=estimate(2.84e6),
            evidence="p99 is 2.84 ms, at most 3.01 ms with 95 % confidence",
        ),
        ObjectiveVerdict(
            objective="accuracy_drop<=1%",
            verdict="pass",
            measured=Estimate(value=0.0, low=-0.0046, high=0.0046),
            evidence="drop 0.0 % [-0.46, 0.46] on 599 rows",
        ),
        ObjectiveVerdict(
            objective="error_rate<0.1%",
            verdict="pass",
            measured=Estimate(value=0.0, low=0.0, high=0.0003),
            evidence="0 of 10,000 requests failed, at most 0.03 % with 95 % confidence",
        ),
    )


VALID = MeasurementVerdict(
    measurement="valid",
    reasons=(),
    notes=("4 of 10,000 sends were more than 1 ms late; the percentiles are not moved by them",),
    objectives=verdicts()[::2],
)


def proof(rows: np.ndarray) -> Proof:
    return Proof(
        requested=WORKLOAD,
        summary=summary(rows),
        verdict=VALID,
        server_cpu_ns_per_request=41_000.0,
        server_peak_memory_bytes=97_000_000,
    )


def search(name: str = "digits", rows: np.ndarray | None = None) -> Search:
    """Digits: three artifacts, twelve points, two refusals, three finalists, a proven winner."""
    rows = requests() if rows is None else rows
    measured = points()
    finalists = tuple(
        Finalist(deployment=one.deployment, speed=one, proof=proof(rows))
        for one in (measured[5], measured[6], measured[7])
    )
    return Search(
        tool_version="0.1.0",
        fingerprint=digest("d"),
        started_at="2026-03-14T09:26:53+00:00",
        state="complete",
        elapsed_ns=71_400_000_000,
        budget_ns=90_000_000_000,
        environment=ENVIRONMENT,
        model=model(name),
        data="digits.npz, 599 rows, 64 features, labels y",
        rows=599,
        labelled=True,
        objectives=OBJECTIVES,
        rate_per_s=500.0,
        assessed=assessed(),
        refused=(
            Refusal(
                name="onnx-int8-dynamic",
                stage="quality",
                reason="accuracy_drop<=1% cannot be told on 599 rows: drop 0.67 % [-0.21, 1.62]; "
                "about 2,400 rows would decide",
            ),
            Refusal(
                name="onnx-fp16",
                stage="parity",
                reason="answers of batch 1 and batch 3 differ on 2 of 599 rows",
            ),
        ),
        points=measured,
        finalists=finalists,
        winner=measured[5].deployment,
        speedup=SpeedUp(ratio=estimate(112.9, 0.08), same_batch=estimate(5.22, 0.06), reference=measured[0]),
        verdicts=verdicts(),
        why=(
            "batching amortises the overhead of a call: 80 % of the time at batch 1 is spent around the computation",
            "a second instance gains nothing on 2 cores, because the server needs one of them",
            "int8 gains nothing below about 1 M parameters",
        ),
        advice=("about 2,400 labelled rows would decide whether onnx-int8-dynamic keeps the accuracy",),
        bundle=f"out/{name}.bundle",
        report=f"out/{name}.html",
        measured_at={
            "convert": "2026-03-14T09:26:55+00:00",
            "bench": "2026-03-14T09:27:02+00:00",
            "proof": "2026-03-14T09:27:38+00:00",
        },
    )


def run(rows: np.ndarray | None = None) -> Run:
    rows = requests(failed=14) if rows is None else rows
    failed = ObjectiveVerdict(
        objective="error_rate<0.1%",
        verdict="fail",
        measured=Estimate(value=0.0014, low=0.0008, high=0.0023),
        evidence="14 of 10,000 requests failed: 0.14 % [0.08, 0.23]",
    )
    return Run(
        tool_version="0.1.0",
        state="complete",
        started_at="2026-03-14T10:02:11+00:00",
        environment=ENVIRONMENT,
        requested=WORKLOAD,
        effective=EFFECTIVE,
        objectives=(OBJECTIVES[0], OBJECTIVES[2]),
        summary=summary(rows),
        verdict=MeasurementVerdict(
            measurement="valid", reasons=(), notes=VALID.notes, objectives=(verdicts()[0], failed)
        ),
        floor=floor(),
        server=SERVER,
        gpus=(GPU,),
        activity=ACTIVITY,
        metrics=METRICS,
        low_load=LowLoad(rate_per_s=50.0, answered=100, service_ns=estimate(512_000.0)),
        queueing=QueueingEstimate(
            queueing_ns=Estimate(value=253_000.0, low=211_000.0, high=295_000.0),
            waiting_requests=0.126,
            requests_in_flight=0.382,
        ),
    )


def profile() -> Profile:
    return Profile(
        tool_version="0.1.0",
        started_at="2026-03-14T10:31:00+00:00",
        environment=ENVIRONMENT,
        model=model(),
        state="complete",
        points=points(),
        refused=("onnxruntime with 4 threads: this process may use 2 cores",),
    )


def sender_lateness(*, awake: bool) -> SenderLateness:
    values = np.random.default_rng(4).lognormal(8.0 if awake else 9.0, 0.5, 4_000)
    return SenderLateness(
        awake=awake,
        rate_per_s=1_000.0,
        lateness=latency(values),
        late_fraction=0.0004 if awake else 0.0312,
        stolen_fraction=0.011 if awake else 0.058,
    )


def checkup() -> Checkup:
    return Checkup(
        tool_version="0.1.0",
        captured_at="2026-03-14T09:00:00+00:00",
        environment=ENVIRONMENT,
        runtimes=(
            RuntimeState(name="onnxruntime", version="1.23.2", detail="CPUExecutionProvider"),
            RuntimeState(name="scikit-learn", version="1.8.0", detail="numpy 2.4.6, OpenBLAS"),
            RuntimeState(name="openvino", version=None, detail="pip install modeldyno[openvino]"),
        ),
        floors=(floor(),),
        lateness=(sender_lateness(awake=False), sender_lateness(awake=True)),
        stolen_fraction=0.0347,
        findings=("the cgroup grants 2 of 8 cores: a client and a server here share them; expect a tail from it",),
    )


def evaluation() -> Evaluation:
    int8 = assessed()[2]
    assert int8.quality is not None
    return Evaluation(
        tool_version="0.1.0",
        evaluated_at="2026-03-14T11:00:00+00:00",
        environment=ENVIRONMENT,
        subject="artifacts/onnx-int8-dynamic.onnx",
        data="digits.npz, 599 rows, 64 features, labels y",
        quality=int8.quality,
        reference="models/digits.skops",
        change=int8.change,
        objectives=OBJECTIVES[1:2],
        verdicts=int8.verdicts,
    )
