"""How a gRPC call ended."""

from enum import IntEnum


class GrpcStatus(IntEnum):
    """Of a call; `statuscodes.md` of the gRPC project."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


def status_name(code: int) -> str:
    """The name of a status, or `CODE_N` for a number that is none."""
    return GrpcStatus(code).name if code in GrpcStatus._value2member_map_ else f"CODE_{code}"
