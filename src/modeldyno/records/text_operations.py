"""Operations on texts, declared with their constants."""

from typing import TypeAlias

from modeldyno.records.base import Record
from modeldyno.records.operation import OneTensor


class TfIdf(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="tf_idf"):
    """FP32 [rows, terms] of UTF-8 texts, BYTES [rows] or [rows, 1]: how often each term appears, times its weight.

    Each row is divided by its length. As scikit-learn's TfidfVectorizer: lower case, words of two letters or more.
    """

    terms: tuple[str, ...]
    """Words, or several joined by a space."""
    weights: tuple[float, ...]
    """Inverse document frequency of each."""
    most_words: int = 1
    """In a term."""
    sublinear: bool = False
    """Take 1 + ln(count) for the count."""


class Tokenise(Record, frozen=True, kw_only=True, tag_field="op", tag="tokenise"):
    """INT64 [rows, length] of UTF-8 texts, BYTES [rows] or [rows, 1]: numbers of tokens, cut off or filled up."""

    tensor: str
    tokenizer: str
    """The content of the `tokenizer.json` that came with the model."""
    length: int
    """Tokens of each row, with those that the tokenizer puts around."""
    ids: str = "input_ids"
    """Name of the result."""
    mask: str = "attention_mask"
    """Name of the second result: 1 for tokens, 0 for filling; empty: not made."""
    types: str = ""
    """Name of a third result: the number of the sentence; empty: not made."""


TextOperation: TypeAlias = TfIdf | Tokenise
