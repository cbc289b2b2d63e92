"""The Open Inference Protocol over HTTP: rows become tensors, in binary or JSON."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from modeldyno.api.questions.ask import DISTINCT_REQUESTS, Ask, Prepared, Questions
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import DataError
from modeldyno.loadgen.discovery import model_signature, only_model
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Dataset
from modeldyno.records.signature import Signature
from modeldyno.wire.v2_client import encode_infer_request


def v2_questions(url: str, ask: Ask, *, binary: bool) -> Questions:
    """Find the model, and how its rows are sent."""
    model = ask.model or only_model(url, ask.access)
    signature = model_signature(url, model, ask.access)

    def make(sizes: Sequence[int], seed: int) -> Prepared:
        dataset = dataset_for(ask, signature, sizes, seed)
        return Prepared(
            requests=v2_requests(model, dataset, signature, *sizes, binary=binary),
            digest=dataset.digest,
            description=None if ask.data is None else dataset.describe(),
        )

    return Questions(
        protocol="oip" if binary else "oip-json",
        model=model,
        wiring=Wiring(reader="v2", access=ask.access),
        make=make,
        signature=signature,
    )


def dataset_for(ask: Ask, signature: Signature, sizes: Sequence[int], seed: int) -> Dataset:
    """The user's rows, or made ones that fit the signature.

    Raises:
        InputError: the data cannot be read or do not fit.
    """
    if ask.data is None:
        return synthetic_dataset(signature, rows=max(DISTINCT_REQUESTS, *sizes), seed=seed)
    return open_dataset(Path(ask.data), signature, label=ask.label)


def v2_requests(
    model: str, dataset: Dataset, signature: Signature, *sizes: int, binary: bool = True
) -> list[PreparedRequest]:
    """Up to `DISTINCT_REQUESTS` different requests over the dataset's rows, encoded once, the same number of each size.

    Raises:
        DataError: the data hold fewer rows than a request.
    """
    prepared = []
    for size, start in starts_of(dataset, *sizes):
        inputs = dataset.inputs(start, start + size)
        encoded = encode_infer_request(inputs, signature, binary=binary)
        headers = (
            (
                ("Content-Type", "application/octet-stream"),
                ("Inference-Header-Content-Length", str(encoded.header_length)),
            )
            if binary
            else (("Content-Type", "application/json"),)
        )
        prepared.append(PreparedRequest(encoded.body, headers, size, f"/v2/models/{quote(model)}/infer"))
    return prepared


def starts_of(dataset: Dataset, *sizes: int) -> list[tuple[int, int]]:
    """Size and first row of every request to prepare: the same number of each size.

    Raises:
        DataError: the data hold fewer rows than a request.
    """
    places = []
    for size in sizes:
        if size > dataset.rows:
            raise DataError(f"the data hold {dataset.rows:,} rows, and a request of {size:,} rows is to be sent")
        starts = range(0, dataset.rows - size + 1, size)[: max(1, DISTINCT_REQUESTS // len(sizes))]
        places += [(size, start) for start in starts]
    return places
