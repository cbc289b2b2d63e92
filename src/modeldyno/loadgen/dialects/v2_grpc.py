"""What a server of the Open Inference Protocol says about itself over gRPC: models and signatures."""

from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.grpc_caller import GrpcCaller
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.records.signature import Signature
from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_call import CallStatus
from modeldyno.wire.v2_grpc import decode_index, decode_metadata, encode_index_request, encode_metadata_request
from modeldyno.wire.v2_messages import SERVICE, method_path

_KEY_CODES = frozenset({GrpcStatus.UNAUTHENTICATED, GrpcStatus.PERMISSION_DENIED})
_NOT_NOW = _KEY_CODES | {GrpcStatus.UNAVAILABLE, GrpcStatus.DEADLINE_EXCEEDED, GrpcStatus.RESOURCE_EXHAUSTED}
"""What says nothing about whether the server has what was asked for."""


def model_signature(caller: GrpcCaller, model: str) -> Signature:
    """Inputs and outputs of a model, from its metadata.

    Raises:
        TargetError: the server cannot be reached, does not know the model, or does not speak the protocol.
    """
    status, message = caller.call(method_path("ModelMetadata"), encode_metadata_request(model))
    if status.code == GrpcStatus.UNIMPLEMENTED:
        raise TargetError(
            f"{caller.url} speaks gRPC, but does not offer the Open Inference Protocol",
            why=f"ModelMetadata of {SERVICE}: {status}",
            hint="check host and port",
        )
    if status.code in _NOT_NOW:
        raise _no_word(caller, f"the model {model!r}", status)
    if status.code != GrpcStatus.OK:
        raise TargetError(f"{caller.url} does not offer the model {model!r}", why=str(status), hint=_offered(caller))
    try:
        return decode_metadata(message)
    except WireError as problem:
        raise TargetError(
            f"{caller.url} answered with metadata that are not of the Open Inference Protocol", why=problem.message
        ) from problem


def only_model(caller: GrpcCaller) -> str:
    """The name of the server's model, when it has exactly one and lists it.

    Raises:
        TargetError: the server cannot be reached or does not speak gRPC.
        UsageError: it has several models, or does not list them.
    """
    names = offered_models(caller)
    if names is None:
        raise UsageError(f"{caller.url} does not list its models", hint="name one with --model NAME")
    if len(names) != 1:
        raise UsageError(
            f"{caller.url} offers {len(names)} models: {', '.join(names)}", hint="choose one with --model NAME"
        )
    return names[0]


def offered_models(caller: GrpcCaller) -> list[str] | None:
    """Names in the server's repository index (a Triton extension); None when it has none.

    Raises:
        TargetError: the server cannot be reached, does not speak gRPC, wants a key or is not well.
    """
    status, message = caller.call(method_path("RepositoryIndex"), encode_index_request())
    if status.code in _NOT_NOW:
        raise _no_word(caller, "its models", status)
    if status.code != GrpcStatus.OK:
        return None
    try:
        return decode_index(message)
    except WireError:
        return None


def _no_word(caller: GrpcCaller, what: str, status: CallStatus) -> TargetError:
    is_locked = status.code in _KEY_CODES
    return TargetError(
        f"{caller.url} does not tell of {what}",
        why=str(status),
        hint="give its key: --bearer-file FILE, or --header 'Name: value'" if is_locked else "is the server well?",
    )


def _offered(caller: GrpcCaller) -> str:
    try:
        names = offered_models(caller)
    except TargetError:
        names = None
    return f"it offers: {', '.join(names)}" if names else "check the name with the server's operator"
