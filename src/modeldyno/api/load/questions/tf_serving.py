"""TensorFlow Serving by REST: rows become instances, columns or examples, as the served signature has them."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from modeldyno.api.load.questions.ask import Ask, Prepared, Questions
from modeldyno.api.load.questions.expectations import outputs_of_rows
from modeldyno.api.load.questions.tensors import checked, prepare_tensors, starts_of
from modeldyno.data.columns import read_columns
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.readers.outputs import decode_tf_serving
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Tensors
from modeldyno.records.files import digest_bytes
from modeldyno.wire.errors import WireError
from modeldyno.wire.expected import Expectation
from modeldyno.wire.tf_serving import (
    DEFAULT_SIGNATURE,
    ServedSignature,
    decode_metadata,
    encode_examples,
    encode_predict,
)

_HEADERS = (("Content-Type", "application/json"),)


def tf_serving_questions(url: str, ask: Ask) -> Questions:
    """Read the metadata of the model.

    Raises:
        UsageError: no model is named, or a format that the signature's method does not have.
        TargetError: the server cannot be reached, does not offer the model, or does not speak this protocol.
    """
    if ask.model is None:
        raise UsageError(f"{url} does not list its models: TensorFlow Serving has no call for it", hint="--model NAME")
    base = f"/v1/models/{quote(ask.model, safe='')}"
    served = _served(Caller(url, ask.access), base, ask.signature or DEFAULT_SIGNATURE)
    path = f"{base}:{served.method}"
    is_predict = served.method == "predict"
    if ask.by_column and not is_predict:
        raise UsageError(f"{served.method} has no columnar format", hint="leave out --tensor-format")
    if ask.data is None and not is_predict:
        raise UsageError(
            f"the metadata of a {served.method} do not name its features", hint="--data TABLE with a column for each"
        )

    def encode(number: int, inputs: Tensors, size: int) -> PreparedRequest:  # noqa: ARG001 - the signature of `Encode`
        return PreparedRequest(encode_predict(inputs, served, by_column=ask.by_column), _HEADERS, size, path)

    def make(sizes: Sequence[int], seed: int) -> Prepared:
        if is_predict:
            prepared, expected = prepare_tensors(ask, served.signature, sizes, seed, encode=encode)
        else:
            prepared, expected = _prepare_examples(ask, served, sizes, path)
        return checked(url, ask, prepared, expected, decode_tf_serving)

    return Questions(
        protocol="tf-serving",
        model=ask.model,
        wiring=Wiring(reader="tf-serving", access=ask.access),
        make=make,
        signature=served.signature,
    )


def _served(caller: Caller, base: str, signature: str) -> ServedSignature:
    reply = caller.call("GET", f"{base}/metadata")
    if reply.status != 200:
        document = reply.document()
        why = document.get("error", "no reason given") if isinstance(document, dict) else "no reason given"
        raise TargetError(
            f"{caller.url} does not tell of the model {base.rpartition('/')[2]!r}",
            why=f"status {reply.status}: {why}",
            hint="check the name and the port (--rest_api_port, 8501); a server without metadata can be "
            "loaded from a request file: --request FILE.http",
        )
    try:
        return decode_metadata(reply.body, signature)
    except WireError as problem:
        raise TargetError(
            f"the metadata at {caller.url} cannot be used", why=problem.message, hint="choose another --signature"
        ) from problem


def _prepare_examples(
    ask: Ask, served: ServedSignature, sizes: Sequence[int], path: str
) -> tuple[Prepared, list[Expectation]]:
    if ask.lengths or ask.data is None:
        raise UsageError(f"a {served.method} takes features, which have no shapes", hint="leave out --shape")
    columns = read_columns(Path(ask.data))
    places = starts_of(columns.rows, *sizes, most=ask.most_requests)

    def example(index: int) -> dict[str, object]:
        return {name: value for name, value in columns.row(index).items() if name != ask.label}

    requests = [
        PreparedRequest(
            encode_examples([example(start + offset) for offset in range(size)], served), _HEADERS, size, path
        )
        for size, start in places
    ]
    expected = []
    if ask.check is not None and not ask.is_checked_against_server:
        expected = outputs_of_rows(ask.check, served.signature, places, columns.rows)
    digest = digest_bytes(b"".join(one.body for one in requests))
    return Prepared(requests=requests, digest=digest, description=columns.describe()), expected
