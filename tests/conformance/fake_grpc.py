"""A conforming gRPC server, grpcio's, over the models of the fake HTTP server, which can be given defects."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from tests.conformance.fake_model import (
    DTYPES,
    MODELS,
    VERSIONS,
    Arrays,
    Model,
    RefusedError,
    check_shape,
    from_bytes,
    refuse_unless,
    to_bytes,
)

from modeldyno.wire.v2_messages import SERVICE, message_class

FIELDS = {
    "FP32": "fp32_contents", "INT64": "int64_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents",
}  # fmt: skip


@dataclass(frozen=True)
class GrpcDefect:
    """What is wrong with a server."""

    before: Callable[[str, Any], None] | None = None
    """Changes a request in place."""
    after: Callable[[str, Any, Any], Any] | None = None
    """From method, request, and answer or RefusedError to what happens instead."""


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    def __init__(self, defect: GrpcDefect) -> None:
        self._defect = defect

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method.removeprefix(f"/{SERVICE}/")
        if getattr(self, f"_{method}", None) is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda message, context: self._call(method, message, context))

    def _call(self, method: str, message: bytes, context: Any) -> bytes:
        request = message_class(f"{method}Request").FromString(message)
        if self._defect.before is not None:
            self._defect.before(method, request)
        try:
            answer = getattr(self, f"_{method}")(request)
        except RefusedError as problem:
            answer = problem
        if self._defect.after is not None:
            answer = self._defect.after(method, request, answer)
        if isinstance(answer, RefusedError):
            known = {404: grpc.StatusCode.NOT_FOUND, 400: grpc.StatusCode.INVALID_ARGUMENT}
            context.abort(known.get(answer.status, grpc.StatusCode.INTERNAL), str(answer))
        return answer if isinstance(answer, bytes) else bytes(answer.SerializeToString())

    def _ServerLive(self, _: Any) -> Any:  # noqa: N802 - a name of the protocol
        return message_class("ServerLiveResponse")(live=True)

    def _ServerReady(self, _: Any) -> Any:  # noqa: N802 - a name of the protocol
        return message_class("ServerReadyResponse")(ready=True)

    def _ServerMetadata(self, _: Any) -> Any:  # noqa: N802 - a name of the protocol
        return message_class("ServerMetadataResponse")(name="fake", version="1.0", extensions=["model_repository"])

    def _ModelReady(self, request: Any) -> Any:  # noqa: N802 - a name of the protocol
        _find(request.name, request.version)
        return message_class("ModelReadyResponse")(ready=True)

    def _ModelMetadata(self, request: Any) -> Any:  # noqa: N802 - a name of the protocol
        model = _find(request.name, request.version)
        answer = message_class("ModelMetadataResponse")(name=request.name, versions=VERSIONS, platform="fake")
        for place, specs in ((answer.inputs, model.inputs), (answer.outputs, model.outputs)):
            for name, datatype, shape in specs:
                place.add(name=name, datatype=datatype, shape=shape)
        return answer

    def _RepositoryIndex(self, _: Any) -> Any:  # noqa: N802 - a name of the protocol
        answer = message_class("RepositoryIndexResponse")()
        for name in MODELS:
            answer.models.add(name=name, version="2", state="READY")
        return answer

    def _ModelInfer(self, request: Any) -> Any:  # noqa: N802 - a name of the protocol
        model = _find(request.model_name, request.model_version)
        outputs = model.compute(_inputs(model, request))
        datatypes = {name: datatype for name, datatype, _ in model.outputs}
        names = [one.name for one in request.outputs] or list(datatypes)
        refuse_unless(set(names) <= set(datatypes), "unknown output")
        answer = message_class("ModelInferResponse")(
            model_name=request.model_name, model_version=request.model_version or VERSIONS[-1], id=request.id
        )
        for name in names:
            answer.outputs.add(name=name, datatype=datatypes[name], shape=outputs[name].shape)
            answer.raw_output_contents.append(to_bytes(outputs[name], datatypes[name]))
        return answer


def _find(name: str, version: str) -> Model:
    if name not in MODELS or version not in ("", *VERSIONS):
        raise RefusedError("unknown model", 404)
    return MODELS[name]


def _inputs(model: Model, request: Any) -> Arrays:
    specs = {name: (datatype, shape) for name, datatype, shape in model.inputs}
    typed = any(one.HasField("contents") for one in request.inputs)
    refuse_unless(not (typed and request.raw_input_contents), "raw and typed contents")
    refuse_unless(typed or len(request.raw_input_contents) == len(request.inputs), "another number of contents")
    inputs: Arrays = {}
    for place, one in enumerate(request.inputs):
        refuse_unless(one.name in specs, "unknown input")
        datatype, wanted = specs[one.name]
        refuse_unless(one.datatype == datatype, "wrong datatype")
        check_shape(list(one.shape), wanted)
        if not typed:
            inputs[one.name] = from_bytes(request.raw_input_contents[place], datatype, list(one.shape))
            continue
        refuse_unless(datatype in FIELDS, "no typed contents")
        values = list(getattr(one.contents, FIELDS[datatype]))
        array = np.empty(len(values), object if datatype == "BYTES" else DTYPES[datatype])
        array[:] = values
        inputs[one.name] = array.reshape(tuple(one.shape))
    refuse_unless(set(inputs) == set(specs), "an input is missing")
    return inputs


@contextmanager
def fake_grpc_server(defect: GrpcDefect | None = None) -> Iterator[str]:
    """A running server: its URL."""
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=[_Handler(defect or GrpcDefect())])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            server.stop(0).wait(10)
