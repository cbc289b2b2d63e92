"""A worker of `dyno serve --workers`: `python -m modeldyno.api.served.worker_process LINK`; stdin says the rest."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modeldyno.api.served.opened import Terms
from modeldyno.api.served.repository import Repository, open_served
from modeldyno.api.served.worker_crew import Assignment, Offer
from modeldyno.api.served.worker_folder import SLOTS
from modeldyno.clock import SystemClock
from modeldyno.deployment.signing import vouch_of
from modeldyno.errors import DynoError
from modeldyno.policies.versions import parse_versions
from modeldyno.records.server import ServedBundle
from modeldyno.secret import Secret
from modeldyno.server.metrics.slots import MetricsSlots
from modeldyno.server.protection.protection import Protection
from modeldyno.server.repository.lifecycle import OpenedModel
from modeldyno.server.serving import Server
from modeldyno.server.workers.link import take_over, tell
from modeldyno.server.workers.messages import Failed
from modeldyno.server.workers.worker import Worker


class Resumed:
    """A `ModelSource` that opens each model first as the other workers serve it, and from then on as it is there.

    Args:
        source: what is there.
        terms: on which bundles are opened.
        served: by the others.
    """

    def __init__(self, source: Repository, terms: Terms, served: Sequence[ServedBundle]) -> None:
        self._source = source
        self._terms = terms
        self._served = served
        self._first = {*source.names(), *(one.name for one in served)}

    def names(self) -> Sequence[str]:
        """See `ModelSource`."""
        return sorted({*self._source.names(), *self._first})

    def versions(self, name: str) -> Sequence[str]:
        """See `ModelSource`."""
        return self._source.versions(name)

    def open(self, name: str) -> Sequence[OpenedModel]:
        """See `ModelSource`. First: nothing of a model that the others do not serve."""
        if name not in self._first:
            return self._source.open(name)
        self._first.discard(name)
        opened: list[OpenedModel] = []
        try:
            for one in (one for one in self._served if one.name == name):
                resumed = open_served(Path(one.path), terms=self._terms, name=name, version=one.version)
                opened.append(resumed)
        except BaseException:
            for model in opened:
                model.close()
            raise
        return opened


def work(assignment: Assignment, end: socket.socket, *, bundle_key: Secret | None) -> None:
    """Serve until the supervisor says that it is enough.

    Raises:
        DynoError: the models, or what protects them, cannot be opened.
    """
    offer, clock, folder = assignment.offer, SystemClock(), Path(assignment.folder)
    terms = _terms(offer, bundle_key)
    repository = Repository(
        [Path(bundle) for bundle in offer.bundles],
        None if offer.repository is None else Path(offer.repository),
        choice=parse_versions(offer.versions),
        terms=terms,
    )
    source = repository if assignment.served is None else Resumed(repository, terms, assignment.served)
    slots = MetricsSlots(folder / SLOTS, assignment.number)
    with Protection(offer.protection, clock=clock, worker=assignment.number) as protection:
        server = Server(
            (), offer.settings, clock=clock, protection=protection, slots=slots, source=source, accepts=False
        )
        Worker(server, end, served=repository.offers).run()


def _terms(offer: Offer, bundle_key: Secret | None) -> Terms:
    vouch = None if offer.trusted_key is None else vouch_of(Path(offer.trusted_key))
    return Terms(vouch=vouch, bundle_key=bundle_key, trust=offer.trust, changes=offer.changes)


def main() -> None:
    """Entry point of the process; its argument is the descriptor of its link."""
    # The supervisor decides what Ctrl-C means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = take_over(int(sys.argv[1]))
    assignment, key = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[Assignment, bytes | None])
    os.sched_setaffinity(0, assignment.cores)
    named = f"%(asctime)s %(levelname)s worker {assignment.number}: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=named)
    try:
        work(assignment, end, bundle_key=None if key is None else Secret(key))
    except DynoError as problem:
        tell(end, Failed(type(problem).__name__, problem.what, problem.why, problem.hint))
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
