"""The Open Inference Protocol over HTTP: rows become tensors, in binary or JSON."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from modeldyno.api.load.questions.ask import DISTINCT_BYTES, Ask, Prepared, Questions
from modeldyno.api.load.questions.tensors import checked, prepare_tensors, starts_of, unlike
from modeldyno.errors import DataError, UsageError
from modeldyno.loadgen.dialects.v2_http import model_signature, only_model
from modeldyno.loadgen.readers.outputs import decode_v2
from modeldyno.loadgen.readers.v2 import request_id
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Dataset, Tensors
from modeldyno.records.signature import WITHOUT_JSON, Signature
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_client import encode_infer_request


def v2_questions(url: str, ask: Ask, *, binary: bool) -> Questions:
    """Find the model, and how its rows are sent."""
    model = ask.model or only_model(url, ask.access)
    signature = model_signature(url, model, ask.access)
    if not binary:
        _require_json(model, signature)

    def encode(number: int, inputs: Tensors, size: int) -> PreparedRequest:
        try:
            return _request(model, signature, number, inputs, size, binary=binary)
        except WireError as problem:
            raise DataError(
                f"request {number} has no JSON form", why=problem.message, hint="--protocol oip"
            ) from problem

    def make(sizes: Sequence[int], seed: int) -> Prepared:
        prepared, expected = prepare_tensors(ask, signature, sizes, seed, encode=encode)
        return checked(url, ask, prepared, expected, decode_v2)

    return Questions(
        protocol="oip" if binary else "oip-json",
        model=model,
        wiring=Wiring(reader="v2", access=ask.access),
        make=make,
        signature=signature,
    )


def _require_json(model: str, signature: Signature) -> None:
    for spec in (*signature.inputs, *signature.outputs):
        if spec.datatype in WITHOUT_JSON:
            raise UsageError(
                f"{spec.name!r} of model {model!r} is {spec.datatype}, which has no JSON form",
                hint="--protocol oip sends and asks for tensors in binary",
            )


def v2_requests(model: str, dataset: Dataset, signature: Signature, *sizes: int) -> list[PreparedRequest]:
    """Up to `DISTINCT_REQUESTS` different requests over the dataset's rows, in binary, the same number of each size.

    Raises:
        DataError: the data hold fewer rows than a request.
    """
    return [
        _request(model, signature, number, dataset.inputs(start, start + size), size, binary=True)
        for number, (size, start) in enumerate(starts_of(dataset.rows, *sizes))
    ]


def unlike_requests(
    model: str, dataset: Dataset, signature: Signature, count: int
) -> tuple[list[PreparedRequest], int]:
    """Requests of one row, in binary, of which no two ask the same; and how many different rows they are made of.

    Where the rows are fewer than `count` they are asked anew with a parameter `again` of 1, 2, ...: the same work for
    the model, and another question to whoever compares questions whole, as the cache of our server does. There are
    fewer than `count` only where so many would take more than `DISTINCT_BYTES`.
    """
    row_bytes = max(1, sum(array.nbytes for array in dataset.inputs(0, 1).values()))
    most = max(1, min(count, DISTINCT_BYTES // row_bytes))
    inputs = [dataset.inputs(start, start + 1) for _, start in unlike(dataset, (1,), most)]
    requests = []
    for number in range(most):
        again, row = divmod(number, len(inputs))
        parameters = {"again": again} if again else None
        requests.append(_request(model, signature, number, inputs[row], 1, binary=True, parameters=parameters))
    return requests, len(inputs)


def _request(
    model: str,
    signature: Signature,
    number: int,
    inputs: Tensors,
    size: int,
    *,
    binary: bool,
    parameters: Mapping[str, int] | None = None,
) -> PreparedRequest:
    encoded = encode_infer_request(
        inputs, signature, binary=binary, request_id=request_id(number), parameters=parameters
    )
    length = ("Inference-Header-Content-Length", str(encoded.header_length))
    headers = (("Content-Type", "application/octet-stream" if binary else "application/json"),)
    return PreparedRequest(
        encoded.body, (*headers, length) if binary else headers, size, f"/v2/models/{quote(model)}/infer"
    )
