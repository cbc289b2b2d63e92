"""A server with an admin port that agrees to load and unload, and stays as it is."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.wire.v2_documents import ModelState

Done: TypeAlias = Callable[[str | None, int], None]


class Willing:
    """Loads and unloads the one model, by doing nothing."""

    def load(self, name: str, done: Done) -> None:
        done(*_outcome(name))

    def unload(self, name: str, done: Done) -> None:
        done(*_outcome(name))

    def index(self) -> list[ModelState]:
        return [ModelState("highest", "1", "READY", "")]


def _outcome(name: str) -> tuple[str | None, int]:
    return (None, 200) if name == "highest" else (f"unknown model {name!r}", 404)


def highest(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
    """Of each row."""
    return {"highest": inputs["x"].max(axis=1)}


def willing_server() -> RunningServer:
    """Of one model, whose answers to finite numbers are finite; not yet started."""
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP64", shape=("batch", 4)),),
        outputs=(TensorSpec(name="highest", datatype="FP64", shape=("batch",)),),
    )
    model = make_model(highest, signature, name="highest", max_rows=8)
    server = RunningServer(model, settings=ServerSettings(port=0, admin_port=0))
    server._server.control = Willing()
    return server
