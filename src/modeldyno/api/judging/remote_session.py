"""A model on a running server as a session: rows go out over the Open Inference Protocol, answers come back."""

from collections.abc import Callable
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from modeldyno.clock import SystemClock
from modeldyno.errors import DataError, TargetError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.dialects import v2_http
from modeldyno.protocols import Tensors
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.records.signature import Signature
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_client import decode_infer_response, encode_infer_request, header_length

TIMEOUT_S = 60.0
_TOO_LARGE = frozenset({400, 413, 422})
"""What servers say to a batch beyond their limit; one row that is refused so is refused for itself."""

Outputs = dict[str, NDArray[np.generic]]
Ask = Callable[[Tensors], Outputs | str]
"""Asks once; the reason when the server refuses the request as such, which a smaller one may cure."""


class RemoteSession:
    """A `Session` on a server. A batch that is too large for it is halved until it fits.

    Args:
        url: for messages.
        signature: of the model, from its metadata.
        ask: one request.
    """

    def __init__(self, url: str, signature: Signature, ask: Ask) -> None:
        self._url = url
        self._signature = signature
        self._ask = ask
        self._most_rows: int | None = None

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> Outputs:
        """See `Session`.

        Raises:
            TargetError: the server cannot be reached, or does not answer.
            DataError: it refuses a single row.
        """
        rows = len(next(iter(inputs.values())))
        most = rows if self._most_rows is None else self._most_rows
        parts = []
        start = 0
        while start < rows:
            part = {name: array[start : start + most] for name, array in inputs.items()}
            outputs = self._ask(part)
            if isinstance(outputs, str):
                if most == 1 or rows == 1:
                    raise DataError(
                        f"{self._url} refuses rows of the data, one at a time, too",
                        why=outputs,
                        hint="is it the data of this model?",
                    )
                most = self._most_rows = max(1, min(most, rows) // 2)
                continue
            self._check(outputs, min(most, rows - start))
            parts.append(outputs)
            start += most
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _check(self, outputs: Outputs, rows: int) -> None:
        for spec in self._signature.outputs:
            if spec.name not in outputs:
                raise TargetError(f"{self._url} answers without the output {spec.name!r}, which its metadata promise")
            array = outputs[spec.name]
            if self._signature.has_batch_dimension and (not array.ndim or len(array) != rows):
                raise TargetError(
                    f"{self._url} answers {rows} rows with the shape {list(array.shape)} of {spec.name!r}"
                )

    def close(self) -> None:
        """See `Session`: every request has a connection of its own, so there is nothing to close."""


def http_session(url: str, model: str | None, access: Access) -> tuple[str, RemoteSession]:
    """A model's name and session over HTTP.

    Raises:
        TargetError: the server cannot be reached, does not offer the model, or does not speak the protocol.
        UsageError: no model is named, and there is not exactly one.
    """
    name = model or v2_http.only_model(url, access)
    signature = v2_http.model_signature(url, name, access)
    caller = Caller(url, access, timeout_s=TIMEOUT_S)
    path = f"/v2/models/{quote(name)}/infer"

    def ask(inputs: Tensors) -> Outputs | str:
        encoded = encode_infer_request(inputs, signature)
        headers = (
            ("Content-Type", "application/octet-stream"),
            ("Inference-Header-Content-Length", str(encoded.header_length)),
        )
        reply = caller.call("POST", path, encoded.body, headers)
        if reply.status != 200:
            document = reply.document()
            told = document.get("error", "no reason given") if isinstance(document, dict) else "no reason given"
            reason = f"status {reply.status}: {told}"
            if reply.status in _TOO_LARGE:
                return reason
            raise _refused(url, reason)
        names = {key.encode(): value.encode("latin-1", "replace") for key, value in reply.headers.items()}
        try:
            return decode_infer_response(reply.body, header_length(names))
        except WireError as problem:
            raise _not_protocol(url, problem) from problem

    return name, RemoteSession(url, signature, ask)


def grpc_session(url: str, model: str | None, access: Access) -> tuple[str, RemoteSession]:
    """The same over gRPC."""
    from modeldyno.loadgen.dialects import v2_grpc  # protobuf takes 30 ms
    from modeldyno.loadgen.grpc_caller import GrpcCaller
    from modeldyno.wire.v2_grpc import encode_infer_request as encode
    from modeldyno.wire.v2_grpc import infer_outputs, parse_infer_response
    from modeldyno.wire.v2_messages import method_path

    caller = GrpcCaller(url, access, clock=SystemClock(), timeout_ns=round(TIMEOUT_S * 1e9))
    name = model or v2_grpc.only_model(caller)
    signature = v2_grpc.model_signature(caller, name)
    path = method_path("ModelInfer")

    def ask(inputs: Tensors) -> Outputs | str:
        status, message = caller.call(path, encode(inputs, signature, name))
        if status.code in (GrpcStatus.INVALID_ARGUMENT, GrpcStatus.OUT_OF_RANGE):
            return str(status)
        if status.code != GrpcStatus.OK:
            raise _refused(url, str(status))
        try:
            return infer_outputs(parse_infer_response(message))
        except WireError as problem:
            raise _not_protocol(url, problem) from problem

    return name, RemoteSession(url, signature, ask)


def _refused(url: str, why: str) -> TargetError:
    return TargetError(
        f"{url} does not answer the rows",
        why=why,
        hint="is the server well, and are its limits and keys as they should?",
    )


def _not_protocol(url: str, problem: WireError) -> TargetError:
    return TargetError(f"{url} answers with what the protocol does not have", why=problem.message)
