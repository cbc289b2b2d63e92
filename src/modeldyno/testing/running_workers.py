"""A real server of several processes that ends with its test: the supervisor in a thread, the workers outside."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from modeldyno.api.served.worker_crew import Offer, WorkerCrew
from modeldyno.clock import SystemClock
from modeldyno.errors import DynoError
from modeldyno.records.deployment import BatchingChanges
from modeldyno.records.server import ProtectionSettings, ServedBundle, ServerAccount, ServerSettings
from modeldyno.server.network.doors import DoorName, Urls
from modeldyno.server.workers.member import Member
from modeldyno.server.workers.supervisor import Supervisor
from modeldyno.testing.running_server import Client, connect_to

_LIMIT_S = 60.0
_LOOK_S = 0.02


class RunningWorkers:
    """Leaving the block drains the server and keeps its account.

    Args:
        bundles: to serve.
        settings: two workers or more.
        repository: to serve, too.
        protection: keys and audit.
    """

    def __init__(
        self,
        *bundles: Path,
        settings: ServerSettings,
        repository: Path | None = None,
        protection: ProtectionSettings | None = None,
    ) -> None:
        offer = Offer(
            bundles=tuple(str(bundle) for bundle in bundles),
            repository=None if repository is None else str(repository),
            versions="latest:1",
            settings=settings,
            protection=protection or ProtectionSettings(),
            trusted_key=None,
            trust=False,
            changes=BatchingChanges(),
        )
        self._crew = WorkerCrew(offer, bundle_key=None)
        self.supervisor = Supervisor(settings, hire=self._crew.hire, clock=SystemClock())
        self.urls: dict[DoorName, str] = {}
        """Where each door is."""
        self.served: list[str] = []
        """Names of the models that the server announced."""
        self.account: ServerAccount | None = None
        self.problem: DynoError | None = None
        self._ready = threading.Event()
        # The kernel ends the workers with the thread that started them, which is this one for all of them.
        self._thread = threading.Thread(target=self._run, name="supervisor")

    def _run(self) -> None:
        def announce(urls: Urls, served: Sequence[ServedBundle]) -> None:
            self.urls = dict(urls)
            self.served = [one.name for one in served]
            self._ready.set()

        try:
            with self._crew:
                self.account = self.supervisor.run(announce)
        except DynoError as problem:
            self.problem = problem
        finally:
            self._ready.set()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_LIMIT_S):
            raise TimeoutError(f"the workers were not ready after {_LIMIT_S} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """Begin to drain; a second time, end at once."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self.supervisor.loop.call_soon_threadsafe(self.supervisor.stop)

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(_LIMIT_S)
        if self._thread.is_alive():
            raise TimeoutError(f"the server did not end within {_LIMIT_S} s")

    def connect(self, door: DoorName = "main") -> Client:
        """A new connection."""
        return connect_to(self.urls[door])

    @property
    def members(self) -> list[Member]:
        """The workers that are given connections, by their numbers."""
        return sorted((one for one in self.supervisor.crew if one.takes_part), key=lambda one: one.number)

    def worker(self, number: int) -> psutil.Process:
        """The process of a worker."""
        return psutil.Process(self.members[number].process.pid)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for a state that comes by itself.

        Raises:
            TimeoutError: it does not come within a minute.
        """
        ends = threading.Event()
        for _ in range(round(_LIMIT_S / _LOOK_S)):
            if holds():
                return
            ends.wait(_LOOK_S)
        raise TimeoutError(f"not within {_LIMIT_S} s: {what}")
