"""A real gRPC server, grpcio's, that speaks the Open Inference Protocol well or badly as the model's name asks."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.v2_messages import SERVICE, message_class

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),),
    outputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),),
)

IDS = {"other": "{}0", "no": ""}
"""What the answers of some models have for the id of the request."""


class Inference(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """Models: `echo`, `code-N`, `other-id`, `no-id`, `garbage`, `large-N` (bytes), `timed`, `silent`,
    `fickle`."""

    def __init__(self) -> None:
        self._counter = itertools.count()
        self.release = threading.Event()
        """Lets the calls to `silent` end."""
        self.offered = ["echo"]
        self.has_index = True
        self.index_code: Any = None
        """What the call for the models ends with."""
        self.metadata: list[dict[str, str]] = []
        """Of each call."""

    def service(self, handler_call_details: Any) -> Any:
        method = getattr(self, handler_call_details.method.removeprefix(f"/{SERVICE}/"), None)
        return grpc.unary_unary_rpc_method_handler(method) if method is not None else None

    def ModelMetadata(self, message: bytes, context: Any) -> bytes:  # noqa: N802 - a name of the protocol
        name = message_class("ModelMetadataRequest").FromString(message).name
        self.metadata.append(dict(context.invocation_metadata()))
        if name == "secret" and self.metadata[-1].get("authorization") != "Bearer key":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "a key is needed")
        if name not in (*self.offered, "secret"):
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown model '{name}'")
        metadata = message_class("ModelMetadataResponse")(name=name)
        for place in (metadata.inputs, metadata.outputs):
            place.add(name="x", datatype="FP32", shape=[-1, 4])
        return bytes(metadata.SerializeToString())

    def RepositoryIndex(self, message: bytes, context: Any) -> bytes:  # noqa: N802 - a name of the protocol
        if self.index_code is not None:
            context.abort(self.index_code, "as was asked")
        if not self.has_index:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
        index = message_class("RepositoryIndexResponse")()
        for name in self.offered:
            index.models.add(name=name, version="1", state="READY")
        return bytes(index.SerializeToString())

    def ModelInfer(self, message: bytes, context: Any) -> bytes:  # noqa: N802 - a name of the protocol
        request = message_class("ModelInferRequest").FromString(message)
        self.metadata.append(dict(context.invocation_metadata()))
        name, _, argument = request.model_name.partition("-")
        behave = getattr(self, f"_{name}", None)
        given = behave(argument, context) if behave is not None else None
        if isinstance(given, bytes):
            return given
        answer = message_class("ModelInferResponse")(model_name=name, id=IDS.get(name, "{}").format(request.id))
        for tensor in request.inputs if given is None else ():
            answer.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if given is None:
            answer.raw_output_contents.extend(request.raw_input_contents)
        else:
            answer.outputs.add(name="y", datatype="UINT8", shape=given.shape)
            answer.raw_output_contents.append(given.tobytes())
        return bytes(answer.SerializeToString())

    def _code(self, argument: str, context: Any) -> None:
        code = next(one for one in grpc.StatusCode if one.value[0] == int(argument))
        context.abort(code, "as was asked: déjà vu")

    def _silent(self, argument: str, context: Any) -> None:
        self.release.wait(60)

    def _garbage(self, argument: str, context: Any) -> bytes:
        return b"\xff\xff\xff"

    def _timed(self, argument: str, context: Any) -> None:
        context.set_trailing_metadata((("server-timing", "queue;dur=1, inference;dur=2.5"),))

    def _fickle(self, argument: str, context: Any) -> NDArray[np.uint8]:
        return np.array([next(self._counter) % 251], np.uint8)

    def _large(self, argument: str, context: Any) -> NDArray[np.uint8]:
        return np.arange(int(argument)).astype(np.uint8)


class Serving:
    """A server that runs."""

    def __init__(self, inference: Inference, port: int, server: Any, threads: ThreadPoolExecutor) -> None:
        self.inference = inference
        self.port = port
        self.url = f"grpc://127.0.0.1:{port}"
        self.server = server
        self.threads = threads


Serve = Callable[..., Any]


@contextmanager
def serving(*options: tuple[str, int], credentials: Any = None) -> Iterator[Serving]:
    """Start it on a free port; `options` are channel arguments of grpcio."""
    inference = Inference()
    unlimited = {"grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1, "grpc.so_reuseport": 0}
    with ThreadPoolExecutor(8) as threads:
        server = grpc.server(threads, handlers=(inference,), options=tuple((unlimited | dict(options)).items()))
        if credentials is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        try:
            yield Serving(inference, port, server, threads)
        finally:
            inference.release.set()
            server.stop(0).wait()


@pytest.fixture
def served() -> Iterator[Serving]:
    with serving() as server:
        yield server


@pytest.fixture
def serve() -> Serve:
    return serving
