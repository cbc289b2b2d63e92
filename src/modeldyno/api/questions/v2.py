"""The Open Inference Protocol over HTTP: rows become tensors, in binary or JSON."""

from collections.abc import Sequence
from urllib.parse import quote

from modeldyno.api.questions.ask import Ask, Prepared, Questions
from modeldyno.api.questions.tensors import checked, prepare_tensors, starts_of
from modeldyno.loadgen.dialects.v2_http import model_signature, only_model
from modeldyno.loadgen.readers.outputs import decode_v2
from modeldyno.loadgen.readers.v2 import request_id
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Dataset, Tensors
from modeldyno.records.signature import Signature
from modeldyno.wire.v2_client import encode_infer_request


def v2_questions(url: str, ask: Ask, *, binary: bool) -> Questions:
    """Find the model, and how its rows are sent."""
    model = ask.model or only_model(url, ask.access)
    signature = model_signature(url, model, ask.access)

    def encode(number: int, inputs: Tensors, size: int) -> PreparedRequest:
        return _request(model, signature, number, inputs, size, binary=binary)

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


def v2_requests(model: str, dataset: Dataset, signature: Signature, *sizes: int) -> list[PreparedRequest]:
    """Up to `DISTINCT_REQUESTS` different requests over the dataset's rows, in binary, the same number of each size.

    Raises:
        DataError: the data hold fewer rows than a request.
    """
    return [
        _request(model, signature, number, dataset.inputs(start, start + size), size, binary=True)
        for number, (size, start) in enumerate(starts_of(dataset.rows, *sizes))
    ]


def _request(
    model: str, signature: Signature, number: int, inputs: Tensors, size: int, *, binary: bool
) -> PreparedRequest:
    encoded = encode_infer_request(inputs, signature, binary=binary, request_id=request_id(number))
    length = ("Inference-Header-Content-Length", str(encoded.header_length))
    headers = (("Content-Type", "application/octet-stream" if binary else "application/json"),)
    return PreparedRequest(
        encoded.body, (*headers, length) if binary else headers, size, f"/v2/models/{quote(model)}/infer"
    )
