"""A server to be attacked, in a process of its own: `python target.py SETTINGS PROTECTION`, both JSON of records.

The first line of its output says where it listens, the last what became of the requests.
"""

import sys

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.clock import SystemClock
from modeldyno.protocols import Tensors
from modeldyno.records.server import ProtectionSettings, ServerSettings
from modeldyno.server.network.doors import Urls
from modeldyno.server.protection.protection import Protection
from modeldyno.server.serving import serve
from modeldyno.testing.running_server import make_model
from modeldyno.testing.sessions import echo, echo_signature, sum_rows

WIDTH = 1000
"""Numbers in a row of the model `echo`, which gives back what it gets."""


def take_memory(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
    """Sums, with as many MB in hand as the first number says."""
    held = np.ones(int(inputs["x"][0, 0]) * 10**6, np.uint8)
    assert held.all()
    return sum_rows(inputs)


def main() -> None:
    """Serve until SIGTERM."""
    settings = msgspec.json.decode(sys.argv[1], type=ServerSettings)
    protection = Protection(msgspec.json.decode(sys.argv[2], type=ProtectionSettings), clock=SystemClock())
    models = [
        make_model(),
        make_model(echo, echo_signature("FP32", ("batch", WIDTH)), name="echo", max_rows=8),
        make_model(take_memory, name="greedy"),
    ]

    def announce(urls: Urls) -> None:
        print(msgspec.json.encode([urls["main"], urls["grpc"]]).decode(), flush=True)  # noqa: T201 - this is what the parent reads

    with protection:
        account = serve(models, settings, clock=SystemClock(), protection=protection, on_ready=announce)
    print(msgspec.json.encode(account).decode(), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
