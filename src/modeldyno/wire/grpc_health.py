"""The gRPC health checking protocol, `grpc.health.v1`: `Check`. Probes call it, among them those of Kubernetes.

Source: the gRPC project's `doc/health-checking.md` and `health/v1/health.proto`.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from modeldyno.wire.errors import WireError

PACKAGE = "grpc.health.v1"
CHECK = f"/{PACKAGE}.Health/Check".encode()
SERVING = b"\x08\x01"
"""A `HealthCheckResponse` whose status (field 1) is SERVING."""
NOT_SERVING = b"\x08\x02"


def checked_service(message: bytes) -> str:
    """The service that a `HealthCheckRequest` names; empty for the server as a whole.

    Raises:
        WireError: it is none.
    """
    try:
        return str(_request_class().FromString(message).service)
    except DecodeError as problem:
        raise WireError(f"not a valid HealthCheckRequest: {problem}") from problem


@cache
def _request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="health.proto", package=PACKAGE, syntax="proto3")
    types = descriptor_pb2.FieldDescriptorProto
    request = file.message_type.add(name="HealthCheckRequest")
    request.field.add(name="service", number=1, label=types.LABEL_OPTIONAL, type=types.TYPE_STRING)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{request.name}"))
