"""Loading models anew and unloading them while the server goes on answering."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple, Protocol

from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.policies.versions import order_of
from modeldyno.records.server import ServerSettings
from modeldyno.server.call import Refusal
from modeldyno.server.loop import Loop
from modeldyno.server.plane import Plane
from modeldyno.server.repository.draining import Draining
from modeldyno.server.repository.model_source import ModelSource, OpenedModel, close_all
from modeldyno.server.repository.opening import SHUTTING_DOWN, Opened, Openings, close_elsewhere
from modeldyno.server.served import Service
from modeldyno.wire.v2_documents import ModelState

_LOG = logging.getLogger("modeldyno.server")

__all__ = ["Lifecycle", "ModelControl", "ModelSource", "OpenedModel", "Prepared", "state_of"]

Done = Callable[[str | None, int], None]
"""Called once on the loop's thread: with None and 200, or with why not and an HTTP status."""


class ModelControl(Protocol):
    """What the router asks to load and unload."""

    def load(self, name: str, done: Done) -> None:
        """Serve what is there of this model now, in place of what was served of it."""
        ...

    def unload(self, name: str, done: Done) -> None:
        """Serve this model no longer."""
        ...

    def index(self) -> list[ModelState]:
        """Every model and version that is there or served.

        Raises:
            DynoError: says why nobody can tell.
        """
        ...


class Prepared(NamedTuple):
    """A model that is opened and started, and that no request finds yet."""

    name: str
    opened: Sequence[OpenedModel]
    services: Sequence[Service]


PreparedDone = Callable[[Prepared | Refusal], None]
_Verb = Literal["load", "unload"]


class _Change:
    """What is asked for one model, by one or several who asked for the same."""

    def __init__(self, verb: _Verb, done: Done) -> None:
        self.verb: _Verb = verb
        self.dones = [done]

    def end(self, problem: str | None, status: int) -> None:
        for done in self.dones:
            done(problem, status)


class Lifecycle:
    """A `ModelControl` for one process, all on the loop's thread but for the opening.

    A load opens the model on a thread of its own while what is served goes on answering, and changes over between two
    requests: the next one finds the new version, those before are answered by the old, which is then closed. When it
    cannot be opened, nothing changes. Changes of one model are made one after another, each of which reads what is
    there when it begins; those who ask for the same while one is under way share the next.

    Args:
        plane: what is served.
        source: where models come from.
        loop: of the server.
        clock: of the server.
        settings: how long opening and draining may take.
    """

    def __init__(
        self, plane: Plane, source: ModelSource, *, loop: Loop, clock: Clock, settings: ServerSettings
    ) -> None:
        self._plane = plane
        self._source = source
        self._loop = loop
        self._openings = Openings(source, loop=loop, clock=clock, limit_ns=settings.load_timeout_ns)
        self._draining = Draining(loop=loop, clock=clock, limit_ns=settings.drain_timeout_ns)
        self._opened: dict[Service, OpenedModel] = {}
        """Of what is served or drained."""
        self._prepared: list[Prepared] = []
        self._changes: dict[str, list[_Change]] = {}
        """Of each model: the one under way, and those to come."""
        self._reasons: dict[str, str] = {}
        """Why a model is not served, or not as it is there."""
        self._is_stopped = False

    def open_first(self, *, skip_broken: bool) -> None:
        """Open and serve everything that is there, before the server listens.

        Args:
            skip_broken: whether to go on without models that cannot be opened, as long as there is another.

        Raises:
            DynoError: one cannot be opened, and is not to be skipped; or none can be.
        """
        first_problem: DynoError | None = None
        for name in self._source.names():
            try:
                opened = self._source.open(name)
                services = self._start(opened)
            except DynoError as problem:
                if not skip_broken:
                    raise
                first_problem = first_problem or problem
                self._reasons[name] = problem.in_a_line
                _LOG.error("model %r is left out: %s", name, problem.in_a_line)
                continue
            self._exchange(Prepared(name, opened, services))
        if first_problem is not None and not list(self._plane):
            raise first_problem

    def load(self, name: str, done: Done) -> None:
        """See `ModelControl`."""
        self._ask("load", name, done)

    def unload(self, name: str, done: Done) -> None:
        """See `ModelControl`."""
        self._ask("unload", name, done)

    def index(self) -> list[ModelState]:
        """See `ModelControl`."""
        states: dict[tuple[str, str], ModelState] = {}
        for service in self._draining:
            key = (service.model.name, service.model.version)
            states[key] = ModelState(*key, "UNLOADING", "it answers the requests it has accepted")
        for service in self._plane:
            states[service.model.name, service.model.version] = state_of(service)
        for name in self._source.names():
            for version in self._source.versions(name) or ([] if self._plane.versions(name) else [""]):
                if (name, version) not in states:
                    states[name, version] = self._absent(name, version)
        return [states[key] for key in sorted(states, key=lambda key: (key[0], order_of(key[1])))]

    def prepare(self, name: str, done: PreparedDone) -> None:
        """Open the versions of a model that are to be served, on a thread; nothing that is served changes.

        Args:
            name: of the model.
            done: called once on the loop's thread, with what `commit` or `abandon` takes, or with why not.
        """
        self._openings.begin(name, lambda opened: done(self._make_ready(name, opened)))

    def commit(self, prepared: Prepared) -> None:
        """Serve it from the next request on; what was served of this model is drained and closed."""
        self._prepared.remove(prepared)
        self._exchange(prepared)

    def abandon(self, prepared: Prepared) -> None:
        """Close it again."""
        self._prepared.remove(prepared)
        for service in prepared.services:
            service.close(0)
        close_elsewhere(prepared.opened)

    def stop(self) -> None:
        """The server begins to drain: whoever waits for a change is told that it will not be made."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._openings.stop()
        for name in list(self._changes):
            for change in self._changes.pop(name):
                change.end(SHUTTING_DOWN.message, SHUTTING_DOWN.status)

    def close(self, until_ns: int) -> None:
        """Close everything that was opened, after the plane was closed and the loop has ended."""
        self.stop()
        self._openings.close(until_ns)
        self._draining.close(until_ns)
        for prepared in self._prepared:
            for service in prepared.services:
                service.close(until_ns)
            close_all(prepared.opened)
        close_all(self._opened.values())
        self._opened.clear()

    def _ask(self, verb: _Verb, name: str, done: Done) -> None:
        if self._is_stopped:
            done(SHUTTING_DOWN.message, SHUTTING_DOWN.status)
            return
        changes = self._changes.setdefault(name, [])
        if len(changes) > 1 and changes[-1].verb == verb:
            changes[-1].dones.append(done)
            return
        changes.append(_Change(verb, done))
        if len(changes) == 1:
            self._begin(name)

    def _begin(self, name: str) -> None:
        changes = self._changes.get(name)
        if not changes:
            return  # the server stopped meanwhile, and those who waited were told
        if changes[0].verb == "load":
            self.prepare(name, partial(self._finish_load, name))
        else:
            self._finish(name, *self._unload(name))

    def _finish_load(self, name: str, outcome: Prepared | Refusal) -> None:
        if isinstance(outcome, Refusal):
            self._finish(name, outcome.message, outcome.status)
        else:
            self.commit(outcome)
            self._finish(name, None, 200)

    def _finish(self, name: str, problem: str | None, status: int) -> None:
        changes = self._changes[name]
        change = changes.pop(0)
        if changes:
            self._loop.call_soon(self._begin, name)
        else:
            del self._changes[name]
        change.end(problem, status)

    def _unload(self, name: str) -> tuple[str | None, int]:
        before = self._plane.replace(name, ())
        try:
            if not before and name not in self._source.names():
                return f"unknown model {name!r}", 404
        except DynoError as problem:
            return problem.in_a_line, 500
        self._reasons[name] = "unloaded"
        self._drain(before)
        _LOG.info("model %r is unloaded", name)
        return None, 200

    def _absent(self, name: str, version: str) -> ModelState:
        if self._openings.is_under_way(name):
            return ModelState(name, version, "LOADING", "")
        reason = self._reasons.get(name, "")
        if not reason and self._plane.versions(name):
            reason = f"version {version} is not among those to be served, or came after the model was loaded"
        return ModelState(name, version, "UNAVAILABLE", reason or "not loaded")

    def _make_ready(self, name: str, opened: Opened) -> Prepared | Refusal:
        if isinstance(opened, Refusal):
            self._reasons[name] = opened.message
            return opened
        try:
            services = self._start(opened)
        except DynoError as problem:
            return self._make_ready(name, Refusal(400, f"failed to load {name!r}: {problem.in_a_line}"))
        prepared = Prepared(name, opened, services)
        self._prepared.append(prepared)
        return prepared

    def _start(self, opened: Sequence[OpenedModel]) -> list[Service]:
        """Start all, or none: then they are closed."""
        services: list[Service] = []
        try:
            for one in opened:
                services.append(self._plane.start(one.served))  # noqa: PERF401 - those that run are to be closed
        except BaseException:
            for service in services:
                service.close(0)
            close_all(opened)
            raise
        return services

    def _exchange(self, prepared: Prepared) -> None:
        self._reasons.pop(prepared.name, None)
        self._opened.update(zip(prepared.services, prepared.opened, strict=True))
        self._drain(self._plane.replace(prepared.name, prepared.services))
        _LOG.info("model %r is served in version %s", prepared.name, ", ".join(self._plane.versions(prepared.name)))

    def _drain(self, services: Sequence[Service]) -> None:
        for service in services:
            opened = self._opened.pop(service, None)
            self._draining.add(service, partial(close_elsewhere, () if opened is None else (opened,)))


def state_of(service: Service) -> ModelState:
    """Of one that is served."""
    trouble = service.trouble
    state: Literal["READY", "UNAVAILABLE"] = "READY" if trouble is None else "UNAVAILABLE"
    return ModelState(service.model.name, service.model.version, state, trouble or "")
