"""What is said of data that lack inputs of the model."""

from collections.abc import Sequence

from modeldyno.errors import DataError

_TOKENS = "input_ids"
"""What text encoders of transformers call the numbers of their tokens."""


def missing_inputs(source: str, missing: Sequence[str], *, why: str, hint: str) -> DataError:
    """The error, with the way from texts to tokens where the model takes tokens.

    Args:
        source: the data, in words.
        missing: names of the inputs.
        why: what the data hold instead.
        hint: how such data hold inputs.
    """
    if _TOKENS in missing:
        hint = (
            "texts become tokens by the operation `tokenise` and the model's tokenizer.json, in a data document;\n"
            "  docs/howto/serve-a-pytorch-model.md, under text encoders, shows it"
        )
    return DataError(f"{source} lacks the model's inputs {', '.join(missing)}", why=why, hint=hint)
