"""The processes of `dyno serve --workers`: how they are started, and what they are told."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from modeldyno.api.served.server_process import dying_with_us
from modeldyno.api.served.worker_folder import LIMITS, worker_folder
from modeldyno.clock import Clock
from modeldyno.errors import ToolError, UsageError
from modeldyno.machine.cores import share_of
from modeldyno.records.deployment import BatchingChanges
from modeldyno.records.server import ProtectionSettings, ServedBundle, ServerAccount, ServerSettings
from modeldyno.reports.estimates import plural
from modeldyno.secret import Secret
from modeldyno.server.workers.link import new_pair
from modeldyno.server.workers.member import Hired
from modeldyno.server.workers.supervisor import OnReady, Supervisor
from modeldyno.units import format_duration

_MODULE = "modeldyno.api.served.worker_process"
MOST_WORKERS_A_CORE = 8
LEAST_SILENCE_NS = 10**9
"""Four beats: less would take a busy worker for one that hangs."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve and how, for each worker alike; see `modeldyno.api.serving.serve`."""

    bundles: tuple[str, ...]
    repository: str | None
    versions: str
    settings: ServerSettings
    protection: ProtectionSettings
    trusted_key: str | None
    trust: bool
    changes: BatchingChanges


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker is told at its start."""

    number: int
    offer: Offer
    cores: list[int]
    """The processors that it runs on."""
    folder: str
    """Where the workers leave what is for each other."""
    served: tuple[ServedBundle, ...] | None
    """What the others serve, to be opened instead of what is there; None for the first workers."""


def serve_with_workers(
    offer: Offer,
    *,
    bundle_key: Secret | None,
    on_ready: OnReady,
    clock: Clock,
) -> ServerAccount:
    """`modeldyno.api.serving.serve`, with a process that accepts and several that answer.

    Raises:
        UsageError: fewer workers than one, or more than the machine can keep apart; or too little time for one to be
            silent in.
        DynoError: an address cannot be listened on, or the workers cannot open what they are to serve.
    """
    _check(offer.settings)
    with WorkerCrew(offer, bundle_key=bundle_key) as crew:
        supervisor = Supervisor(offer.settings, hire=crew.hire, clock=clock)
        return supervisor.run(on_ready, signals=(signal.SIGTERM, signal.SIGINT))


def _check(settings: ServerSettings) -> None:
    if settings.workers < 1:
        raise UsageError(f"{settings.workers} workers cannot serve", hint="--workers 2, or leave it out for one")
    cores = len(os.sched_getaffinity(0))
    if settings.workers > MOST_WORKERS_A_CORE * cores:
        raise UsageError(
            f"{settings.workers:,} workers are too many for {plural(cores, 'core')}",
            why=f"each opens every model, and more than {MOST_WORKERS_A_CORE} a core only take time from one another",
            hint=f"--workers {cores}: one for each core",
        )
    if settings.worker_silence_ns < LEAST_SILENCE_NS:
        raise UsageError(
            f"workers that are silent for {format_duration(settings.worker_silence_ns)} cannot be taken for hung",
            why="they send a sign of life four times a second",
            hint="--worker-silence 1s, or more",
        )


class WorkerCrew:
    """Starts workers, and keeps the folder for what they share while the context lasts.

    Args:
        offer: for all of them.
        bundle_key: of encrypted bundles; it goes through a pipe.
    """

    def __init__(self, offer: Offer, *, bundle_key: Secret | None) -> None:
        self._offer = offer
        self._key = bundle_key
        self._cores = sorted(os.sched_getaffinity(0))
        self._stack = contextlib.ExitStack()
        self._folder = Path()

    def __enter__(self) -> Self:
        self._folder = self._stack.enter_context(worker_folder())
        protection = msgspec.structs.replace(self._offer.protection, shared_limits=str(self._folder / LIMITS))
        self._offer = msgspec.structs.replace(self._offer, protection=protection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def hire(self, number: int, served: Sequence[ServedBundle] | None) -> Hired:
        """See `modeldyno.server.workers.member.Hire`."""
        assignment = Assignment(
            number=number,
            offer=self._offer,
            cores=share_of(self._cores, number, self._offer.settings.workers),
            folder=str(self._folder),
            served=None if served is None else tuple(served),
        )
        own, its = new_pair()
        try:
            process = _start(its.fileno())
        except OSError as problem:
            own.close()
            raise ToolError("cannot start a worker process", why=problem.strerror or str(problem)) from problem
        finally:
            its.close()
        key = None if self._key is None else self._key.reveal()
        stdin = process.stdin
        assert stdin is not None  # noqa: S101 - Popen was given PIPE
        with contextlib.suppress(BrokenPipeError), stdin:  # when it has ended already, its link says so
            stdin.write(msgspec.msgpack.encode((assignment, key)))
        return Hired(process, own)


def _start(link: int) -> "subprocess.Popen[bytes]":
    # KILL: when the supervisor is killed there is nobody to drain for, and a worker that hangs takes no other signal.
    # -P: a file numpy.py in the user's folder is not our business.
    command = [*dying_with_us("KILL"), sys.executable, "-P", "-m", _MODULE, str(link)]
    # A group of its own: Ctrl-C in a terminal is for the supervisor, which has the workers drain.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0, pass_fds=[link])
