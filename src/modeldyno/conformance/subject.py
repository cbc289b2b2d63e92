"""What is checked: a server, or one model of it, and the facts that checks build on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from modeldyno.conformance.answer import HEADER_LENGTH, InferAnswer, difference, read_infer
from modeldyno.conformance.endings import BrokenRuleError, NoAnswerError, NotOfferedError, SkippedError
from modeldyno.conformance.grpc_wire import GrpcWire
from modeldyno.conformance.http_wire import JSON, HttpWire, Reply
from modeldyno.conformance.question import (
    Document,
    binary_question,
    json_question,
    plausible_inputs,
    row_of,
    to_bytes,
)
from modeldyno.records.signature import DATATYPES, WITHOUT_JSON, Signature, TensorSpec

ROWS = 2
"""In a plain request: one alone would hide an order that is wrong."""
UNKNOWN = "modeldyno-no-such-model"
UNKNOWN_VERSION = "987654321"


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a model's metadata say."""

    name: str
    signature: Signature | None = None
    problem: str = ""
    """Why there is no signature."""
    versions: tuple[str, ...] = ()
    rows: dict[str, NDArray[np.generic]] | None = None
    """Rows of the user's, at least one; made ones when None."""


class Subject:
    """One model of a server.

    Args:
        http: to its HTTP form; None when that is not checked.
        grpc: to its gRPC form; None when that is not checked.
        extensions: that the server lists.
        facts: of the model.
        seed: of made inputs.
    """

    def __init__(
        self, *, http: HttpWire | None, grpc: GrpcWire | None, extensions: Sequence[str], facts: ModelFacts, seed: int
    ) -> None:
        self._http = http
        self._grpc = grpc
        self._seed = seed
        self.extensions = frozenset(extensions)
        self.model = facts.name
        self.versions = facts.versions
        self.facts = facts

    @property
    def http(self) -> HttpWire:
        """Raises NotOfferedError when it is not checked."""
        if self._http is None:
            raise NotOfferedError("no HTTP address was given")
        return self._http

    @property
    def grpc(self) -> GrpcWire:
        """Raises NotOfferedError when it is not checked."""
        if self._grpc is None:
            raise NotOfferedError("no gRPC address was given (--grpc URL)")
        return self._grpc

    def ping(self) -> None:
        """Ask whether the server lives, by HTTP where that is checked; raises NoAnswerError when nothing comes."""
        if self._http is not None:
            self._http.send("GET", "/v2/health/live")
        elif self._grpc is not None:
            self._grpc.call("ServerLive")

    @property
    def path(self) -> str:
        """Of the model."""
        if not self.model:
            raise SkippedError("no model is known; name one with --model")
        return f"/v2/models/{quote(self.model, safe='')}"

    @property
    def version(self) -> str:
        """One that may be asked for; raises NotOfferedError without."""
        if not self.versions:
            raise NotOfferedError("the model lists no versions")
        return self.versions[-1]

    @property
    def version_path(self) -> str:
        """Of one version of the model; raises NotOfferedError when it lists none."""
        return f"{self.path}/versions/{quote(self.version, safe='')}"

    @property
    def signature(self) -> Signature:
        """Raises SkippedError when the metadata cannot be used."""
        if self.facts.signature is None:
            raise SkippedError(self.facts.problem)
        return self.facts.signature

    @property
    def has_json(self) -> bool:
        """Whether all tensors of the model have a JSON form."""
        tensors = (*self.signature.inputs, *self.signature.outputs)
        return all(spec.datatype not in WITHOUT_JSON for spec in tensors)

    def need_json(self) -> Signature:
        """The signature of a model whose tensors all have a JSON form; raises NotOfferedError otherwise."""
        for spec in (*self.signature.inputs, *self.signature.outputs):
            if spec.datatype in WITHOUT_JSON:
                raise NotOfferedError(f"{spec.name!r} is {spec.datatype}, which has no JSON form")
        return self.signature

    @cached_property
    def is_batched(self) -> bool:
        """Whether the first dimension of every tensor is open: the rows of a batch."""
        return self.signature.has_batch_dimension

    def need_batch(self) -> None:
        """Raises NotOfferedError when the model takes no batches."""
        if not self.is_batched:
            raise NotOfferedError("the model has no batch dimension")

    def find_input(self, *datatypes: str) -> tuple[int, TensorSpec]:
        """Place and description of the first input with one of these datatypes; raises NotOfferedError without."""
        for place, spec in enumerate(self.signature.inputs):
            if spec.datatype in datatypes:
                return place, spec
        raise NotOfferedError(f"the model has no input of {' or '.join(datatypes)}")

    @cached_property
    def inputs(self) -> dict[str, NDArray[np.generic]]:
        """Of a plain request."""
        unknown = [spec.datatype for spec in self.signature.inputs if spec.datatype not in DATATYPES]
        if unknown:
            raise SkippedError(f"no values can be made for the datatype {unknown[0]}")
        return self.facts.rows or plausible_inputs(self.signature, ROWS, self._seed)

    def question(self, *, nested: bool = False) -> Document:
        """A plain request, which the caller may change."""
        return json_question(self.need_json(), self.inputs, nested=nested)

    def ask(self, document: Any, *, path: str | None = None) -> Reply:
        """Send a JSON request.

        Raises:
            NoAnswerError: no whole answer came.
        """
        return self.http.send("POST", f"{path or self.path}/infer", to_bytes(document), JSON)

    def ask_binary(
        self, document: Document, contents: Sequence[bytes], *, header_length: str | None = None, padding: int = 0
    ) -> Reply:
        """Send a request with binary tensors.

        Args:
            document: its JSON.
            contents: what follows it.
            header_length: what the header says instead of the truth.
            padding: blanks at the end of the JSON.

        Raises:
            NoAnswerError: no whole answer came.
        """
        head = to_bytes(document) + b" " * padding
        headers = {
            HEADER_LENGTH: str(len(head)) if header_length is None else header_length,
            "Content-Type": "application/octet-stream",
        }
        return self.http.send("POST", f"{self.path}/infer", b"".join((head, *contents)), headers)

    @property
    def plain(self) -> InferAnswer:
        """The answer to a plain request; raises SkippedError when there is none."""
        found = self._plain
        if isinstance(found, str):
            raise SkippedError(f"a plain JSON request already fails ({found}): see infer.json.answers")
        return found

    @cached_property
    def _plain(self) -> InferAnswer | str:
        try:
            return read_infer(self.ask(self.question()))
        except (BrokenRuleError, NoAnswerError) as problem:
            return getattr(problem, "got", "") or str(problem)

    @property
    def repeatable(self) -> InferAnswer:
        """The answer to a plain request of a model that gives the same one again; raises NotOfferedError otherwise."""
        plain = self.plain
        if self._wavering:
            raise NotOfferedError(f"the model answers the same request differently each time: {self._wavering}")
        return plain

    @cached_property
    def _wavering(self) -> str:
        try:
            return difference(self.plain, read_infer(self.ask(self.question())))
        except (BrokenRuleError, NoAnswerError) as problem:
            raise SkippedError(f"the second of two plain requests fails: {problem}") from problem

    @property
    def binary(self) -> InferAnswer:
        """The answer to a plain request with binary inputs.

        Raises:
            NotOfferedError: the server neither lists nor has the extension.
            SkippedError: it lists the extension and cannot do it.
        """
        found = self._binary
        if not isinstance(found, str):
            return found
        if "binary_tensor_data" in self.extensions:
            raise SkippedError(f"a plain binary request already fails ({found}): see infer.binary.answers")
        raise NotOfferedError("the server does not list binary_tensor_data, and refuses a binary request")

    @cached_property
    def _binary(self) -> InferAnswer | str:
        try:
            return read_infer(self.ask_binary(*self.binary_question()))
        except (BrokenRuleError, NoAnswerError) as problem:
            return getattr(problem, "got", "") or str(problem)

    def binary_question(self) -> tuple[Document, list[bytes]]:
        """A plain request with binary inputs, which the caller may change; outputs without a JSON form are binary."""
        document, contents = binary_question(self.signature, self.inputs)
        if any(spec.datatype in WITHOUT_JSON for spec in self.signature.outputs):
            document["parameters"] = {"binary_data_output": True}
        return document, contents

    def single_rows(self) -> list[dict[str, NDArray[np.generic]]]:
        """The rows of the plain request, one by one; raises NotOfferedError without a batch dimension."""
        self.need_batch()
        count = len(next(iter(self.inputs.values())))
        return [row_of(self.inputs, number) for number in range(count)]
