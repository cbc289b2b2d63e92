"""The server's side of a load: its processes on this machine and its metrics, watched while the load runs."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import numpy as np

from modeldyno.clock import Clock
from modeldyno.errors import InputError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.target import parse_target
from modeldyno.loadgen.watching.gpu_observer import GpuObserver
from modeldyno.loadgen.watching.observation_file import write_gpus, write_metrics, write_observations
from modeldyno.loadgen.watching.observer import EVERY_NS as OBSERVE_EVERY_NS
from modeldyno.loadgen.watching.observer import Counters, Observer
from modeldyno.loadgen.watching.rounds import Rounds
from modeldyno.loadgen.watching.scraper import EVERY_NS as SCRAPE_EVERY_NS
from modeldyno.loadgen.watching.scraper import Scraper, offered_metrics, scrape
from modeldyno.loadgen.watching.server_usage import find_family
from modeldyno.loadgen.watching.triton_statistics import StatisticsReader, keeps_statistics
from modeldyno.machine.floors import FLOOR_OF, kept_floor
from modeldyno.machine.gpus import nvml_meter
from modeldyno.machine.processes import energy_files, is_local, listening_processes, name_of, throttle_files
from modeldyno.protocols import Progress
from modeldyno.records.environment import Environment
from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.observation import (
    GPU_DTYPE,
    OBSERVATION_DTYPE,
    Gpu,
    GpuUse,
    MetricChange,
    MetricSample,
    ObservedProcess,
    ServerUse,
)
from modeldyno.records.run import Floor, LowLoad
from modeldyno.records.workload import ProtocolName, Workload
from modeldyno.stats.activity import summarise_activity
from modeldyno.stats.observation import measured_window, metric_changes, summarise_gpus, summarise_server

_WITHOUT_SERVER = frozenset({"in-process", "null"})
_COUNTED = frozenset({"oip", "oip-json", "oip-grpc"})
"""Protocols whose servers may keep the statistics of Triton's."""
_TRITON_PORTS = {8001: 8000}
"""Where Triton speaks gRPC, to where it then speaks HTTP."""


@dataclass(frozen=True, kw_only=True)
class Counting:
    """A server that keeps statistics of a model, as Triton does."""

    url: str
    """Base URL, HTTP."""
    model: str
    access: Access = field(default_factory=Access)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a load is told beside its requests."""

    metrics_url: str | None = None
    """Where the server's metrics are."""
    low_load: LowLoad | None = None
    """Measured before, to estimate the queueing."""


@dataclass(frozen=True)
class ServerProcesses:
    """Which processes are the server."""

    pids: Sequence[int]
    found_by: Literal["pid", "port"]
    is_here: bool
    """Whether the server is on this machine, also when none of its processes may be looked at."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What was seen of the server during a run."""

    use: ServerUse | None
    changes: tuple[MetricChange, ...]
    activity: ModelActivity | None
    gpus: tuple[GpuUse, ...]
    observations: np.ndarray
    gpu_samples: np.ndarray
    metrics: Sequence[MetricSample] = field(repr=False)

    def keep(self, directory: Path) -> None:
        """Write it beside the requests of the run.

        Raises:
            OutputError: it cannot be written.
        """
        write_observations(directory, self.observations)
        write_gpus(directory, self.gpu_samples)
        write_metrics(directory, self.metrics)


class Watch:
    """What is being looked at; `sight` tells what was seen once the load is over."""

    def __init__(
        self,
        server: ServerProcesses,
        clock: Clock,
        *,
        metrics_url: str | None,
        statistics: Counting | None,
        access: Access | None = None,
    ) -> None:
        self._server = server
        self._clock = clock
        self._processes = tuple(ObservedProcess(pid=pid, name=name_of(pid)) for pid in server.pids)
        self._observer: Observer | None = None
        self._gpu_observer: GpuObserver | None = None
        self._gpus: tuple[Gpu, ...] = ()
        self._scraper = Scraper(metrics_url, clock=clock, access=access) if metrics_url is not None else None
        self._reader = (
            StatisticsReader(statistics.url, statistics.model, clock=clock, access=statistics.access)
            if statistics is not None
            else None
        )
        self._rounds: list[Rounds] = []

    @contextmanager
    def go(self) -> Iterator[Self]:
        """Look at everything until the context is left."""
        with ExitStack() as stack:
            if self._server.pids:
                files = Counters(throttling=throttle_files(self._server.pids[0]), energy=energy_files())
                self._observer = Observer(self._server.pids, clock=self._clock, counters=files)
                self._repeat(stack, self._observer.sample, "looking at the server's processes", OBSERVE_EVERY_NS)
            meter = stack.enter_context(nvml_meter()) if self._server.is_here else None
            if meter is not None:
                self._gpus = meter.gpus(find_family(self._server.pids))
                self._gpu_observer = GpuObserver(meter, clock=self._clock)
                self._repeat(stack, self._gpu_observer.sample, "looking at the GPUs", OBSERVE_EVERY_NS)
            if self._scraper is not None:
                self._repeat(stack, self._scraper.sample, "reading the server's metrics", SCRAPE_EVERY_NS)
            if self._reader is not None:
                self._repeat(stack, self._reader.sample, "reading the server's statistics", SCRAPE_EVERY_NS)
            yield self

    def _repeat(self, stack: ExitStack, look: Callable[[], None], name: str, every_ns: int) -> None:
        self._rounds.append(stack.enter_context(Rounds(look, name=name, clock=self._clock, every_ns=every_ns)))

    def sight(self, requests: np.ndarray, start_ns: int, progress: Progress) -> Sight:
        """What was seen, on the time axis of `requests`; `start_ns` is their zero on the clock."""
        self._say_problems(progress)
        seen = self._observer.observations(start_ns) if self._observer else np.empty(0, OBSERVATION_DTYPE)
        gpu_samples = self._gpu_observer.observations(start_ns) if self._gpu_observer else np.empty(0, GPU_DTYPE)
        metrics = self._scraper.samples(start_ns) if self._scraper else []
        looks = self._reader.looks(start_ns) if self._reader else []
        window = measured_window(requests)
        return Sight(
            use=summarise_server(seen, requests, processes=self._processes, found_by=self._server.found_by),
            changes=metric_changes(metrics, window),
            activity=summarise_activity(looks, window),
            gpus=summarise_gpus(gpu_samples, requests, self._gpus),
            observations=seen,
            gpu_samples=gpu_samples,
            metrics=metrics,
        )

    def _say_problems(self, progress: Progress) -> None:
        for one in self._rounds:
            if one.problem is not None:
                progress.say(f"{one.name} ended early: {one.problem}")
        for reader, what in ((self._scraper, "metrics"), (self._reader, "statistics")):
            if reader is not None and reader.failures:
                progress.say(f"{reader.failures} looks at the server's {what} gave nothing")


@contextmanager
def watch_server(
    server: ServerProcesses,
    *,
    metrics_url: str | None,
    clock: Clock,
    statistics: Counting | None = None,
    access: Access | None = None,
) -> Iterator[Watch]:
    """Look at the server until the context is left; at nothing when there is nothing to look at.

    Args:
        server: its processes.
        metrics_url: where its metrics are.
        clock: the clock of the load.
        statistics: where it counts for a model.
        access: what may be shown to `metrics_url`, see `metrics_access`.
    """
    with Watch(server, clock, metrics_url=metrics_url, statistics=statistics, access=access).go() as watch:
        yield watch


def server_processes(workload: Workload, named: Sequence[int]) -> ServerProcesses:
    """The processes the user named, or else those of this machine that listen on the target's port.

    A server inside the instrument's own process (in a notebook, in a test) is not looked at: its cost and the
    instrument's are one number.

    Raises:
        UsageError: a named process does not live, or the URL is none.
    """
    if named:
        gone = [pid for pid in named if not name_of(pid)]
        if gone:
            raise UsageError(
                f"there is no process {gone[0]}", hint="leave out --pid: a server here is found by its port"
            )
        return ServerProcesses(tuple(named), "pid", is_here=True)
    if workload.protocol in _WITHOUT_SERVER:
        return ServerProcesses((), "port", is_here=False)
    target = parse_target(workload.url)
    is_here = is_local(target.host)
    found = listening_processes(target.port) if is_here else []
    if os.getpid() in find_family(found):
        found = []
    return ServerProcesses(tuple(found), "port", is_here)


def floor_here(environment: Environment, protocol: ProtocolName, progress: Progress) -> Floor | None:
    """The instrument's floor for a protocol, as last measured here; a damaged cache is said and left out."""
    try:
        return kept_floor(environment, FLOOR_OF[protocol])
    except InputError as problem:
        progress.say(f"the instrument's floor cannot be read: {problem.what}; dyno doctor measures it again")
        return None


def metrics_address(workload: Workload, named: str | None, access: Access | None = None) -> str | None:
    """Where the server's metrics are read: where the user says, or at `/metrics` of the target if it has any there.

    Raises:
        TargetError: there are no metrics where the user says.
        UsageError: what the user says is no URL.
    """
    if named is None:
        has_pages = workload.url.startswith(("http://", "https://"))
        return offered_metrics(workload.url, access) if has_pages else None
    scrape(named, metrics_access(workload, named, access))
    return named


def metrics_access(workload: Workload, url: str | None, access: Access | None) -> Access:
    """What may be shown to `url`: certificates to any server, but keys only to the host that is loaded.

    Nor are they sent in the clear where the load itself is encrypted.
    """
    access = access or Access()
    page, target = urlsplit(url or ""), urlsplit(workload.url)
    is_same = page.hostname == target.hostname
    is_safe = page.scheme == "https" or target.scheme not in ("https", "grpcs")
    return access if is_same and is_safe else replace(access, headers=())


def counting_of(workload: Workload, access: Access | None = None) -> Counting | None:
    """Where the server keeps statistics of the model; None when it keeps none that can be read over HTTP."""
    if workload.protocol not in _COUNTED:
        return None
    target = parse_target(workload.url)
    url = workload.url
    if target.scheme == "grpc":
        if target.port not in _TRITON_PORTS:
            return None
        host = f"[{target.host}]" if ":" in target.host else target.host
        url = f"http://{host}:{_TRITON_PORTS[target.port]}"
    access = access or Access()
    return (
        Counting(url=url, model=workload.model, access=access)
        if keeps_statistics(url, workload.model, access)
        else None
    )
