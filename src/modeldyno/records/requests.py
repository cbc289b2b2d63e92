"""The raw rows of a run: one request each, as a NumPy structured array.

All moments are nanoseconds of CLOCK_MONOTONIC since the run's planned start; -1 means "did not happen" for a
moment and a duration, and "not reported" for a server time and a count of tokens.
"""

from enum import IntEnum

import numpy as np

from modeldyno.records.grpc_status import status_name

REQUEST_DTYPE = np.dtype(
    [
        ("number", "<i8"),  # place in the plan; in a closed loop, order of begin within its worker's share
        ("planned_ns", "<i8"),
        ("connect_ns", "<i8"),  # how long the connection took to open for which the request waited; -1 if it was open
        ("sent_ns", "<i8"),
        ("first_byte_ns", "<i8"),
        ("done_ns", "<i8"),
        ("outcome", "<i1"),  # an `Outcome`
        ("status", "<i2"),  # HTTP status or gRPC code, 0 without one
        ("measured", "?"),  # False during warm-up
        ("worker", "<i2"),
        ("kind", "<i2"),  # index into the kinds of a mix, 0 without a mix
        ("rows", "<i4"),
        ("sent_bytes", "<i4"),
        ("received_bytes", "<i4"),
        ("server_preprocess_ns", "<i8"),  # reading and decoding the request
        ("server_queue_ns", "<i8"),  # waiting for an instance and for the batch
        ("server_inference_ns", "<i8"),
        ("server_postprocess_ns", "<i8"),  # splitting the batch and encoding the answer
        ("server_total_ns", "<i8"),  # first byte read to answer written, as the server saw it
        ("first_token_ns", "<i8"),  # a stream's first piece with content
        ("last_token_ns", "<i8"),
        ("input_tokens", "<i4"),  # as the server counts them
        ("output_tokens", "<i4"),  # as the server counts them, or else pieces with content
    ]
)

TOKEN_DTYPE = np.dtype([("number", "<i8"), ("moment_ns", "<i8")])
"""One piece of a streamed answer: the `number` of its request, and when it came."""


class Outcome(IntEnum):
    """How a request ended. Everything but OK is a failure, and counts as unbounded latency for objectives."""

    OK = 0
    HTTP_ERROR = 1
    """A status other than 200; see the `status` column."""
    TIMEOUT = 2
    REFUSED = 3
    """No connection could be made."""
    DISCONNECTED = 4
    """The connection ended before the whole answer was there."""
    MALFORMED = 5
    """The answer is not what the protocol allows."""
    NOT_SENT = 6
    """Planned, but the run ended before it could be sent."""
    INTERRUPTED = 7
    """Cut off by the user; never counted as the server's failure."""
    WRONG_ANSWER = 8
    """The answer is not the expected one."""
    MISMATCHED = 9
    """The answer is to another request."""
    GRPC_ERROR = 10
    """A gRPC code other than OK; see the `status` column."""
    STREAM_CUT = 11
    """A streamed answer ended without its end mark."""


def failure_name(outcome: Outcome, status: int) -> str:
    """`timeout`, `http_503`, `grpc_unavailable`: the kind of a failure, as it is counted."""
    if outcome == Outcome.HTTP_ERROR:
        return f"http_{status}"
    if outcome == Outcome.GRPC_ERROR:
        return f"grpc_{status_name(status).lower()}"
    return outcome.name.lower()


def empty_requests(count: int) -> np.ndarray:
    """`count` rows in which nothing has happened yet."""
    rows = np.zeros(count, REQUEST_DTYPE)
    for name in REQUEST_DTYPE.names or ():
        if name.endswith(("_ns", "_tokens")):
            rows[name] = -1
    rows["number"] = np.arange(count)
    rows["outcome"] = Outcome.NOT_SENT
    return rows
