"""The model of a bundle without a server: what is left when all of the network and the serving is taken away."""

from collections.abc import Sequence
from pathlib import Path

from modeldyno.api.load.in_process_worker import HEADER_LENGTH_BYTES
from modeldyno.api.load.questions.ask import Ask, Prepared, Questions
from modeldyno.api.load.questions.tensors import prepare_tensors
from modeldyno.deployment.bundle import open_bundle
from modeldyno.errors import UsageError
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Tensors
from modeldyno.wire.v2_client import encode_infer_request


def in_process_questions(source: str, ask: Ask) -> Questions:
    """Rows for the model of a bundle.

    Raises:
        UsageError: the source is a URL.
        InputError: no bundle, or damaged.
    """
    if "://" in source:
        raise UsageError(
            f"{source!r} is a server, and in process there is none",
            hint="give the directory of a bundle, or leave out --protocol in-process",
        )
    directory = Path(source).absolute()
    bundle = open_bundle(directory)

    def encode(number: int, inputs: Tensors, size: int) -> PreparedRequest:  # noqa: ARG001 - the signature of `Encode`
        encoded = encode_infer_request(inputs, bundle.signature)
        length = (encoded.header_length or 0).to_bytes(HEADER_LENGTH_BYTES, "little")
        return PreparedRequest(length + encoded.body, (), size)

    def make(sizes: Sequence[int], seed: int) -> Prepared:
        prepared, _ = prepare_tensors(ask, bundle.signature, sizes, seed, encode=encode)
        return prepared

    return Questions(
        protocol="in-process",
        model=bundle.name,
        wiring=Wiring(
            transport="in-process", session=str(directory).encode(), module="modeldyno.api.load.in_process_worker"
        ),
        make=make,
        signature=bundle.signature,
    )
