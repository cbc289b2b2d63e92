"""The server's side of a load: its processes on this machine and its metrics, watched while the load runs."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from modeldyno.clock import Clock
from modeldyno.errors import InputError, UsageError
from modeldyno.loadgen.observation_file import write_metrics, write_observations
from modeldyno.loadgen.observer import Counters, Observer
from modeldyno.loadgen.scraper import Scraper, offered_metrics, scrape
from modeldyno.loadgen.server_usage import find_family
from modeldyno.loadgen.target import parse_target
from modeldyno.machine.floors import kept_floor
from modeldyno.machine.processes import energy_files, is_local, listening_processes, name_of, throttle_files
from modeldyno.protocols import Progress
from modeldyno.records.environment import Environment
from modeldyno.records.observation import MetricChange, MetricSample, ObservedProcess, ServerUse
from modeldyno.records.run import Floor, LowLoad
from modeldyno.stats.observation import measured_window, metric_changes, summarise_server


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


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What was seen of the server during a run."""

    use: ServerUse | None
    changes: tuple[MetricChange, ...]
    observations: np.ndarray
    metrics: Sequence[MetricSample] = field(repr=False)

    def keep(self, directory: Path) -> None:
        """Write it beside the requests of the run.

        Raises:
            OutputError: it cannot be written.
        """
        write_observations(directory, self.observations)
        write_metrics(directory, self.metrics)


class Watch:
    """What is being looked at; `sight` tells what was seen once the load is over."""

    def __init__(self, server: ServerProcesses, observer: Observer | None, scraper: Scraper | None) -> None:
        self._server = server
        self._processes = tuple(ObservedProcess(pid=pid, name=name_of(pid)) for pid in server.pids)
        self._observer = observer
        self._scraper = scraper

    def sight(self, requests: np.ndarray, start_ns: int, progress: Progress) -> Sight:
        """What was seen, on the time axis of `requests`; `start_ns` is their zero on the clock."""
        observations = self._observer.observations(start_ns) if self._observer else np.empty(0)
        samples = self._scraper.samples(start_ns) if self._scraper else []
        if self._observer and self._observer.problem is not None:
            progress.say(f"looking at the server's processes ended early: {self._observer.problem}")
        if self._scraper and self._scraper.failures:
            progress.say(f"{self._scraper.failures} scrapes of the server's metrics gave nothing")
        use = (
            summarise_server(observations, requests, processes=self._processes, found_by=self._server.found_by)
            if len(observations)
            else None
        )
        changes = metric_changes(samples, measured_window(requests))
        return Sight(use=use, changes=changes, observations=observations, metrics=samples)


@contextmanager
def watch_server(server: ServerProcesses, *, metrics_url: str | None, clock: Clock) -> Iterator[Watch]:
    """Look at the server until the context is left; at nothing when there is nothing to look at."""
    observer = scraper = None
    if server.pids:
        counters = Counters(throttling=throttle_files(server.pids[0]), energy=energy_files())
        observer = Observer(server.pids, clock=clock, counters=counters)
    if metrics_url is not None:
        scraper = Scraper(metrics_url, clock=clock)
    watch = Watch(server, observer, scraper)
    with ExitStack() as stack:
        for one in (observer, scraper):
            if one is not None:
                stack.enter_context(one)
        yield watch


def server_processes(url: str, named: Sequence[int]) -> ServerProcesses:
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
        return ServerProcesses(tuple(named), "pid")
    target = parse_target(url)
    found = listening_processes(target.port) if is_local(target.host) else []
    if os.getpid() in find_family(found):
        found = []
    return ServerProcesses(tuple(found), "port")


def floor_here(environment: Environment, progress: Progress) -> Floor | None:
    """The instrument's floor as it was last measured on this machine; a damaged cache is said and left out."""
    try:
        return kept_floor(environment)
    except InputError as problem:
        progress.say(f"the instrument's floor cannot be read: {problem.what}; dyno doctor measures it again")
        return None


def metrics_address(url: str, named: str | None) -> str | None:
    """Where the server's metrics are read: where the user says, or at `/metrics` of the target if it has any there.

    Raises:
        TargetError: there are no metrics where the user says.
    """
    if named is None:
        return offered_metrics(url)
    scrape(named)
    return named
