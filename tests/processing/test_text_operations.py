import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.operations import plan_operations
from modeldyno.processing.steps import Step
from modeldyno.records.processing import Operation
from modeldyno.records.signature import TensorSpec
from modeldyno.records.text_operations import TfIdf, Tokenise

TEXTS = ("The quick brown fox", "the fox, the FOX and the dog!", "", "ä dög sleeps_now 42")
COLUMN = TensorSpec(name="text", datatype="BYTES", shape=("batch",))


def planned(operation: Operation) -> Step:
    return plan_operations((operation,), {"text": COLUMN}, place="here")


def column(*values: bytes) -> NDArray[Any]:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def encoded(*values: str) -> NDArray[Any]:
    return column(*(value.encode() for value in values))


@pytest.mark.parametrize(("most_words", "sublinear"), ((1, False), (2, True)))
def test_tf_idf_is_that_of_scikit_learn(most_words: int, *, sublinear: bool) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    reference = TfidfVectorizer(ngram_range=(1, most_words), sublinear_tf=sublinear).fit(TEXTS)
    terms = reference.get_feature_names_out().tolist()
    operation = TfIdf(
        tensor="text",
        terms=tuple(terms),
        weights=tuple(reference.idf_.tolist()),
        most_words=most_words,
        sublinear=sublinear,
    )
    fresh = (*TEXTS, "an unseen fox and the fox")
    made = planned(operation).apply({"text": encoded(*fresh)})["text"]
    np.testing.assert_allclose(reference.transform(fresh).toarray(), made, rtol=1e-5, atol=1e-7)
    assert np.float32 == made.dtype


def test_a_text_that_is_not_utf_8_is_refused() -> None:
    step = planned(TfIdf(tensor="text", terms=("a",), weights=(1,)))
    with pytest.raises(DataError, match="not UTF-8"):
        step.apply({"text": column(b"\xff\xfe")})


def tokenizer() -> str:
    """One number a word, with a token on both sides."""
    pytest.importorskip("tokenizers", reason="tokens need the extra `text`")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "fox": 5}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - the token for unknown words
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return str(made.to_str())


def test_tokens_are_cut_off_and_filled_up() -> None:
    operation = Tokenise(tensor="text", tokenizer=tokenizer(), length=5, types="token_type_ids")
    step = planned(operation)
    made = step.apply({"text": encoded("the fox", "the fox the fox the", "")})
    assert ["input_ids", "attention_mask", "token_type_ids"] == list(made) == list(step.specs)
    assert [[2, 4, 5, 3, 0], [2, 4, 5, 4, 3], [2, 3, 0, 0, 0]] == made["input_ids"].tolist()
    assert [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]] == made["attention_mask"].tolist()
    assert ("batch", 5) == step.specs["input_ids"].shape
    assert made["input_ids"].dtype == np.int64
    assert [made["input_ids"].tolist()[1]] == step.apply({"text": encoded("the fox the fox the")})["input_ids"].tolist()


@pytest.mark.parametrize("document", ("{}", "nothing", json.dumps({"version": "1.0"})))
def test_what_is_no_tokenizer_is_refused(document: str) -> None:
    pytest.importorskip("tokenizers", reason="tokens need the extra `text`")
    with pytest.raises(UsageError, match="tokenizer cannot be read") as caught:
        planned(Tokenise(tensor="text", tokenizer=document, length=5))
    assert "tokenizer.json" in caught.value.hint
