"""Texts as numbers of tokens, by Hugging Face's `tokenizers`: the one file that imports it."""

from typing import Any

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.processing.steps import Array, Specs, Step, require_new
from modeldyno.processing.terms import text_column, texts_of
from modeldyno.protocols import Tensors
from modeldyno.records.signature import TensorSpec
from modeldyno.records.text_operations import Tokenise


def plan_tokenise(operation: Tokenise, specs: Specs) -> Step:
    """See `Tokenise`."""
    spec = text_column(operation.tensor, specs)
    tokenizer = _tokenizer(operation)
    padding = dict(tokenizer.padding or {})
    tokenizer.no_padding()  # it would make a Python number of each padded place, and we an array of them
    filled = {"ids": padding.get("pad_id", 0), "attention_mask": 0, "type_ids": padding.get("pad_type_id", 0)}
    fields = {operation.ids: "ids", operation.mask: "attention_mask", operation.types: "type_ids"}
    names = [name for name in (operation.ids, operation.mask, operation.types) if name]
    require_new(names, specs, (operation.tensor,))
    kept = {name: one for name, one in specs.items() if name != operation.tensor}
    made = {name: TensorSpec(name=name, datatype="INT64", shape=(spec.shape[0], operation.length)) for name in names}

    def apply(tensors: Tensors) -> dict[str, Array]:
        texts = texts_of(np.asarray(tensors[operation.tensor]), operation.tensor)
        encodings = tokenizer.encode_batch_fast(texts)  # fast: without the place of each token in the text
        tokens = {name: np.full((len(encodings), operation.length), filled[fields[name]], np.int64) for name in names}
        for row, one in enumerate(encodings):
            for name in names:
                numbers = getattr(one, fields[name])
                tokens[name][row, : len(numbers)] = numbers
        return {**{name: tensors[name] for name in kept}, **tokens}

    return Step({**kept, **made}, apply)


def _tokenizer(operation: Tokenise) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as problem:
        raise UsageError(
            "texts cannot be cut into tokens", why="tokenizers is not installed", hint="pip install 'modeldyno[text]'"
        ) from problem
    if operation.length < 1:
        raise UsageError(f"length {operation.length} is below 1")
    try:
        tokenizer = Tokenizer.from_str(operation.tokenizer)
        tokenizer.enable_truncation(operation.length)
    except Exception as problem:  # the library raises plain Exception for a document that is no tokenizer
        raise UsageError(
            "the tokenizer cannot be read", why=str(problem), hint="put the content of tokenizer.json there"
        ) from problem
    return tokenizer
