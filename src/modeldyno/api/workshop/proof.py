"""A proof: the real server in a process of its own, under the asked load, judged."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from modeldyno.api.load.measuring import measure
from modeldyno.api.load.questions.ask import MOST_DISTINCT
from modeldyno.api.load.questions.v2 import unlike_requests, v2_requests
from modeldyno.api.load.workloads import distinct_of
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.clock import Clock
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.protocols import Dataset, Progress
from modeldyno.records.bundle import Proof
from modeldyno.records.deployment import Deployment
from modeldyno.records.objective import Objective
from modeldyno.records.signature import Signature
from modeldyno.records.workload import Workload


def slug(deployment: Deployment) -> str:
    """A file name for a deployment."""
    shape = f"t{deployment.session.threads}-i{deployment.instances}-b{deployment.batching.max_rows}"
    if deployment.cache.max_bytes:
        shape += f"-c{deployment.cache.max_bytes}"
    return f"{deployment.artifact}-{deployment.runtime}-{shape}"


def proof_directory(work: Path, deployment: Deployment) -> Path:
    """Where the run of a deployment's proof is kept."""
    return work / "proofs" / slug(deployment)


def prove_bundle(
    bundle: Path,
    prepared: Sequence[PreparedRequest],
    objectives: Sequence[Objective],
    *,
    workload_at: Callable[[str], Workload],
    directory: Path,
    progress: Progress,
    clock: Clock,
    trust: bool = False,
) -> Proof:
    """Serve a bundle on a free port, load it, and keep the run under `directory` (an earlier one is replaced).

    `workload_at` makes the plan of the load from the base URL the server turned out to have.

    `trust` says whether the user vouches for the code that the bundle may hold.

    Raises:
        ToolError: the server did not start, with its own first line as the reason.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    server = ServerProcess(
        "modeldyno",
        ["serve", str(bundle), "--port", "0", "--server-timing", "--json", *(["--trust"] if trust else [])],
        log=directory / "server.log",
        clock=clock,
    )
    with server:
        url = json.loads(server.first_line)["url"]
        run, _ = measure(
            workload_at(url),
            prepared,
            objectives,
            directory=directory,
            server_pids=[server.pid],
            progress=progress,
            clock=clock,
        )
    if run.state == "interrupted":
        raise KeyboardInterrupt
    assert run.summary is not None  # noqa: S101 - `measure` returns concluded runs
    assert run.verdict is not None  # noqa: S101
    effective = run.effective
    cpu_ns = effective.server_cpu_ns if effective is not None else None
    activity = run.activity
    return Proof(
        requested=run.requested,
        summary=run.summary,
        verdict=run.verdict,
        server_cpu_ns_per_request=cpu_ns / run.summary.answered
        if cpu_ns is not None and run.summary.answered
        else None,
        server_peak_memory_bytes=effective.server_peak_memory_bytes if effective is not None else None,
        cache_hits=activity.cache_hits if activity is not None else None,
        cache_misses=activity.cache_misses if activity is not None else None,
        repeated_fraction=effective.repeated_fraction if effective is not None else None,
    )


def proof_requests(plan: Workload, dataset: Dataset, signature: Signature) -> tuple[list[PreparedRequest], int | None]:
    """What a load by this plan asks, and, where its rows had to be asked anew, how many different ones there are.

    Without a word on what repeats, `DISTINCT_REQUESTS` of the rows at most take turns.
    """
    wanted = distinct_of(plan, MOST_DISTINCT)
    if wanted is None:
        return v2_requests(plan.model, dataset, signature, 1), None
    requests, rows = unlike_requests(plan.model, dataset, signature, wanted)
    return requests, rows if rows < len(requests) else None
