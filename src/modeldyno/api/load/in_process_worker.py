"""A sending process that holds the model itself: `python -m modeldyno.api.load.in_process_worker`."""

from pathlib import Path

from modeldyno.api.served.sessions import open_sessions
from modeldyno.clock import Clock
from modeldyno.deployment.bundle import open_bundle
from modeldyno.deployment.contents import Contents
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.readers.table import Readers
from modeldyno.loadgen.transports.connection import Dialer
from modeldyno.loadgen.transports.in_process import InProcessDialer
from modeldyno.loadgen.worker import main
from modeldyno.wire.v2_decoder import InferRequestDecoder

HEADER_LENGTH_BYTES = 8
"""In front of each prepared body: the length of its JSON, little-endian."""


def open_model(assignment: Assignment, clock: Clock, readers: Readers) -> Dialer:  # noqa: ARG001 - nothing is read
    """The sessions of the bundle that `Assignment.session` names, checked against its samples."""
    directory = Path(assignment.session.decode())
    bundle = open_bundle(directory)
    with Contents(directory, bundle) as contents:
        sessions = open_sessions(bundle, contents)
    decoder = InferRequestDecoder(bundle.signature)
    inputs = []
    for content in assignment.requests:
        length = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
        inputs.append(decoder.decode(content[HEADER_LENGTH_BYTES:], length).inputs)
    return InProcessDialer(sessions, inputs, clock.now_ns)


if __name__ == "__main__":
    main(open_model)
