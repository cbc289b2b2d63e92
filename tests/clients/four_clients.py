"""The protocol's ordinary Python clients, blocking and asyncio, over HTTP and gRPC, called alike."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from modeldyno.bfloat16 import from_numbers, to_floats
from modeldyno.testing.running_server import RunningServer

Refused: TypeAlias = InferenceServerException


class Given(NamedTuple):
    """One input of a request."""

    name: str
    datatype: str
    array: NDArray[Any]
    in_binary: bool = True
    """Else as JSON, where there is a choice."""


class Wish(NamedTuple):
    """One output that is asked for."""

    name: str
    in_binary: bool = True
    classes: int = 0


class Answered(NamedTuple):
    """What came back."""

    identity: tuple[str, str, str]
    """The id, the name of the model, its version."""
    outputs: dict[str, NDArray[Any]]


class HttpClient:
    """`tritonclient.http`."""

    has_json = True

    def __init__(self, server: RunningServer) -> None:
        self._client = tritonclient.http.InferenceServerClient(server.address)

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client; documents come as `dict` and `list`."""
        return getattr(self._client, method)(*arguments, **options)

    def infer(
        self,
        model: str,
        inputs: Sequence[Given],
        outputs: Sequence[Wish] = (),
        *,
        coding: str | None = None,
        **more: Any,
    ) -> Answered:
        """Ask for an inference; without outputs, for all."""
        tensors = []
        for one in inputs:
            tensors.append(tritonclient.http.InferInput(one.name, list(one.array.shape), one.datatype))
            tensors[-1].set_data_from_numpy(one.array, binary_data=one.in_binary)
        wishes = [
            tritonclient.http.InferRequestedOutput(one.name, binary_data=one.in_binary, class_count=one.classes)
            for one in outputs
        ]
        codings = {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
        found = self.ask("infer", model, tensors, outputs=wishes or None, **(codings if coding else {}), **more)
        said = found.get_response()
        return Answered(
            (said.get("id", ""), said["model_name"], said["model_version"]),
            {one["name"]: found.as_numpy(one["name"]) for one in said["outputs"]},
        )

    def status(self, problem: Refused) -> str:
        """The status of a refusal."""
        return str(problem.status())

    def close(self) -> None:
        self._client.close()


class HttpAioClient(HttpClient):
    """`tritonclient.http.aio`, on a loop of its own."""

    def __init__(self, server: RunningServer) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._connect(server.address))

    async def _connect(self, address: str) -> Any:
        return tritonclient.http.aio.InferenceServerClient(address)

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        return self._loop.run_until_complete(getattr(self._client, method)(*arguments, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


class GrpcClient:
    """`tritonclient.grpc`."""

    has_json = False

    def __init__(self, server: RunningServer) -> None:
        self._client = tritonclient.grpc.InferenceServerClient(server.grpc_address)

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client; documents come as `dict`, in the JSON form of their messages."""
        if method.startswith("get_"):
            options["as_json"] = True
        return self._call(method, *arguments, **options)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        return getattr(self._client, method)(*arguments, **options)

    def infer(
        self,
        model: str,
        inputs: Sequence[Given],
        outputs: Sequence[Wish] = (),
        *,
        coding: str | None = None,
        **more: Any,
    ) -> Answered:
        """Ask for an inference; without outputs, for all."""
        tensors = []
        for one in inputs:
            tensors.append(tritonclient.grpc.InferInput(one.name, list(one.array.shape), one.datatype))
            tensors[-1].set_data_from_numpy(one.array)
        wishes = [tritonclient.grpc.InferRequestedOutput(one.name, class_count=one.classes) for one in outputs]
        found = self._call("infer", model, tensors, outputs=wishes or None, compression_algorithm=coding, **more)
        said = found.get_response()
        return Answered(
            (said.id, said.model_name, said.model_version),
            {one.name: found.as_numpy(one.name) for one in said.outputs},
        )

    def status(self, problem: Refused) -> str:
        """The status of a refusal."""
        return str(problem.status()).removeprefix("StatusCode.")

    def close(self) -> None:
        self._client.close()


class GrpcAioClient(GrpcClient):
    """`tritonclient.grpc.aio`, on a loop of its own."""

    def __init__(self, server: RunningServer) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._connect(server.grpc_address))

    async def _connect(self, address: str) -> Any:
        return tritonclient.grpc.aio.InferenceServerClient(address)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        return self._loop.run_until_complete(getattr(self._client, method)(*arguments, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


Client: TypeAlias = HttpClient | GrpcClient
FOUR: tuple[type[Client], ...] = (HttpClient, HttpAioClient, GrpcClient, GrpcAioClient)


def values_of(datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Values of a datatype, its extreme ones among them."""
    count = int(np.prod(shape))
    if datatype == "BYTES":
        values = [b"", b"a", "ü".encode(), b"long " * 500, b'"', b"\n\t\\"]
        return np.array([*(values * count)[:count], None], object)[:-1].reshape(shape)
    if datatype == "BOOL":
        return np.array(([True, False, False] * count)[:count]).reshape(shape)
    if datatype == "BF16":  # which the clients take and give as float32
        return to_floats(from_numbers(values_of("FP32", shape)))
    dtype = np.dtype(datatype.lower().replace("fp", "float"))
    if dtype.kind == "f":
        numbers: list[Any] = [0, -1.5, np.finfo(dtype).max, np.finfo(dtype).tiny, 1e-3, 2]
    else:
        numbers = [0, 1, np.iinfo(dtype).max, np.iinfo(dtype).min, 3, 7]
    return np.array((numbers * count)[:count], dtype).reshape(shape)
