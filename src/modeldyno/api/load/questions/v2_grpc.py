"""The Open Inference Protocol over gRPC: rows become calls of `ModelInfer`."""

from collections.abc import Sequence
from dataclasses import replace

from modeldyno.api.load.questions.ask import Ask, Prepared, Questions
from modeldyno.api.load.questions.expectations import expectations
from modeldyno.api.load.questions.tensors import prepare_tensors
from modeldyno.clock import SystemClock
from modeldyno.errors import TargetError
from modeldyno.loadgen.dialects.v2_grpc import model_signature, only_model
from modeldyno.loadgen.grpc_caller import GrpcCaller
from modeldyno.loadgen.readers.v2 import request_id
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Tensors
from modeldyno.records.answers import FROM_SERVER
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.errors import WireError
from modeldyno.wire.expected import Expectation, expect_outputs
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs, parse_infer_response
from modeldyno.wire.v2_messages import method_path


def v2_grpc_questions(url: str, ask: Ask) -> Questions:
    """Find the model, and how its rows are sent.

    Raises:
        TargetError: the server cannot be reached, does not offer the model, or does not speak the protocol.
        UsageError: no model is named, and there is not exactly one.
    """
    caller = GrpcCaller(url, ask.access, clock=SystemClock())
    model = ask.model or only_model(caller)
    signature = model_signature(caller, model)
    path = method_path("ModelInfer")

    def encode(number: int, inputs: Tensors, size: int) -> PreparedRequest:
        message = encode_infer_request(inputs, signature, model, request_id=request_id(number))
        return PreparedRequest(message, (), size, path)

    def make(sizes: Sequence[int], seed: int) -> Prepared:
        prepared, expected = prepare_tensors(ask, signature, sizes, seed, encode=encode)
        if ask.check is None:
            return prepared
        if ask.check.expected == FROM_SERVER:
            expected = [_own_answer(caller, request, number) for number, request in enumerate(prepared.requests)]
        return replace(prepared, expectations=expectations(ask.check, expected))

    return Questions(
        protocol="oip-grpc",
        model=model,
        wiring=Wiring(transport="grpc", reader="v2-grpc", access=ask.access),
        make=make,
        signature=signature,
    )


def _own_answer(caller: GrpcCaller, request: PreparedRequest, number: int) -> Expectation:
    status, message = caller.call(request.path, request.body)
    if status.code != GrpcStatus.OK:
        raise TargetError(
            f"{caller.url} answers request {number} of the data with {status}, before any load",
            hint="a server whose own answers are to be expected has to give them; check the data",
        )
    try:
        return expect_outputs(infer_outputs(parse_infer_response(message)))
    except WireError as problem:
        raise TargetError(
            f"{caller.url} answers request {number} of the data with what the protocol does not have",
            why=problem.message,
        ) from problem
