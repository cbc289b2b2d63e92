"""The models of the conformance comparison on Modeldyno's server: `python modeldyno_functions.py PORT GRPC_PORT`."""

import sys
from functools import partial

from conform_functions import MODELS, answer  # type: ignore[import-not-found]

from modeldyno.clock import SystemClock
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.serving import ServedModel, serve
from modeldyno.testing.running_server import make_model


def served(name: str) -> ServedModel:
    """A model whose session is a function."""
    described = {
        which: tuple(
            TensorSpec(
                name=tensor,
                datatype=datatype,
                shape=tuple("batch" if size < 0 else size for size in shape),
            )
            for tensor, datatype, shape in MODELS[name][which]
        )
        for which in ("inputs", "outputs")
    }
    signature = Signature(inputs=described["inputs"], outputs=described["outputs"])
    return make_model(partial(answer, name), signature, name=name, max_rows=8)


if __name__ == "__main__":
    serve(
        [served(name) for name in MODELS],
        ServerSettings(port=int(sys.argv[1]), grpc_port=int(sys.argv[2])),
        clock=SystemClock(),
        on_ready=lambda urls: print(urls["main"], flush=True),
    )
