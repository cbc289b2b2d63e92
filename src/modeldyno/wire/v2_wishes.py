"""Which outputs a request asks for, and in which form."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from modeldyno.records.signature import WITHOUT_JSON, Signature
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_classification import can_classify
from modeldyno.wire.v2_parameters import Parameter, flag


class OutputWish(NamedTuple):
    """One output the client wants, and in which form."""

    name: str
    binary: bool
    classes: int = 0
    """Above 0: not the output, but so many of its highest values (Triton's extension `classification`)."""


class AskedOutput(msgspec.Struct, frozen=True):
    """An output as a request names it."""

    name: str
    parameters: dict[str, Parameter] = {}


class WishReader:
    """Reads the wishes of requests for one model."""

    def __init__(self, signature: Signature) -> None:
        self._outputs = {spec.name: spec for spec in signature.outputs}

    def read(self, outputs: Sequence[AskedOutput], parameters: dict[str, Parameter]) -> tuple[OutputWish, ...]:
        """All outputs, or those that are asked for.

        Args:
            outputs: of the request; none: all of the model's.
            parameters: of the request as a whole.

        Raises:
            WireError: one that is not there, is named twice or cannot be had in this form.
        """
        default = flag(parameters, "binary_data_output")
        if not outputs:
            wishes = [OutputWish(name, default) for name in self._outputs]
        else:
            wishes = [self._wish(output, binary=default) for output in outputs]
        names = [wish.name for wish in wishes]
        for name in names:
            if names.count(name) > 1:
                raise WireError(f"output {name!r} is asked for twice")
        for wish in wishes:
            datatype = self._outputs[wish.name].datatype
            if datatype in WITHOUT_JSON and not (wish.binary or wish.classes):
                raise WireError(f"output {wish.name!r} is {datatype}, which has no JSON form; ask for binary_data")
        return tuple(wishes)

    def _wish(self, output: AskedOutput, *, binary: bool) -> OutputWish:
        if output.name not in self._outputs:
            raise WireError(f"unknown output {output.name!r}; the model gives {quoted(self._outputs)}")
        if "shared_memory_region" in output.parameters:
            raise WireError(f"output {output.name!r}: shared memory is not offered; the answer holds the data")
        binary = flag(output.parameters, "binary_data", default=binary)
        classes = output.parameters.get("classification")
        if classes is None:
            return OutputWish(output.name, binary)
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1:
            raise WireError(f"output {output.name!r}: classification {classes!r} is not a number of classes")
        datatype = self._outputs[output.name].datatype
        if not can_classify(datatype):
            raise WireError(f"output {output.name!r} is {datatype}, which has no classes")
        return OutputWish(output.name, binary, classes)


def quoted(names: Iterable[str]) -> str:
    """For a message."""
    return ", ".join(repr(name) for name in names)
