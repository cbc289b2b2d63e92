"""When a request gets a refusal instead of an answer."""

from modeldyno.wire.v2_request import InferRequest


def earliest_ns(request: InferRequest, started_ns: int, deadline_ns: int | None, timeout_ns: int | None) -> int | None:
    """The first of the client's deadline, the request's own timeout and the server's; None without any.

    Args:
        request: which may bring a timeout of its own.
        started_ns: when its first byte came, from which timeouts count.
        deadline_ns: when the client gives up.
        timeout_ns: the server's.
    """
    own_us = request.timeout_us
    moments_ns = [
        deadline_ns,
        None if timeout_ns is None else started_ns + timeout_ns,
        None if own_us is None else started_ns + own_us * 1000,
    ]
    return min((moment_ns for moment_ns in moments_ns if moment_ns is not None), default=None)
