import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from modeldyno.data.prompts import Prompt, make_prompts, read_prompts
from modeldyno.data.words import WORDS
from modeldyno.errors import DataError
from modeldyno.records.prompting import parse_lengths

MESSAGES = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello there"}]


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _lines(*documents: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in documents)


@given(st.integers(1, 30), st.integers(0, 99))
def test_made_prompts_have_the_lengths_asked_for_and_differ(count: int, seed: int) -> None:
    prompts = make_prompts(parse_lengths("uniform:3-40"), count=count, seed=seed)
    assert count == len({one.text for one in prompts})
    assert all(3 <= one.words <= 40 for one in prompts)


def test_equal_seeds_make_equal_prompts() -> None:
    lengths = parse_lengths("16")
    assert make_prompts(lengths, count=5, seed=1) == make_prompts(lengths, count=5, seed=1)
    assert make_prompts(lengths, count=5, seed=1) != make_prompts(lengths, count=5, seed=2)


def test_prompts_rarely_begin_alike() -> None:
    starts = {one.text.split()[0] for one in make_prompts(parse_lengths("8"), count=200, seed=1)}
    assert len(starts) > 150


def test_more_prompts_of_one_word_than_there_are_words_repeat_themselves() -> None:
    prompts = make_prompts(parse_lengths("1"), count=2 * len(WORDS), seed=1)
    assert 2 * len(WORDS) == len(prompts)
    assert 0.95 * len(WORDS) < len({one.text for one in prompts}) <= len(WORDS)


def test_the_words_are_all_different() -> None:
    assert len(set(WORDS)) == len(WORDS) > 900


def test_a_line_of_text_is_a_prompt(tmp_path: Path) -> None:
    path = _write(tmp_path, "prompts.txt", "first one\n\nsecond\n")
    prompts, digest = read_prompts(path)
    assert [Prompt("first one"), Prompt("second")] == prompts
    assert digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("document", "expected"),
    (
        ("hello", Prompt("hello")),
        (MESSAGES, Prompt("", tuple(MESSAGES))),
        ({"prompt": "hello"}, Prompt("hello")),
        ({"id": 7, "text": "hello", "output_tokens": 9}, Prompt("hello", (), 9)),
        ({"messages": MESSAGES, "max_tokens": 3}, Prompt("", tuple(MESSAGES), 3)),
    ),
)
def test_a_line_of_json_holds_a_prompt_in_one_of_several_forms(tmp_path: Path, document: Any, expected: Prompt) -> None:
    path = _write(tmp_path, "prompts.jsonl", _lines(document, document))
    assert [expected, expected] == read_prompts(path)[0]


def test_tables_have_a_column_of_prompts(tmp_path: Path) -> None:
    path = _write(tmp_path, "prompts.csv", 'id,prompt,max_tokens\n1,"hello, you",4\n2,bye,\n')
    assert [Prompt("hello, you", (), 4), Prompt("bye")] == read_prompts(path)[0]
    parquet.write_table(pa.table({"whatever": ["hello", "bye"]}), tmp_path / "prompts.parquet")
    assert [Prompt("hello"), Prompt("bye")] == read_prompts(tmp_path / "prompts.parquet")[0]


def test_the_words_of_all_messages_are_counted() -> None:
    assert 4 == Prompt("", tuple(MESSAGES)).words


@pytest.mark.parametrize(
    ("name", "text", "told"),
    (
        ("a.txt", "\n \n", "holds no prompt"),
        ("a.jsonl", _lines({"title": "x"}), "prompt 1 of"),
        ("a.jsonl", _lines("hi", 7), "prompt 2 of"),
        ("a.jsonl", _lines(""), "prompt 1 of"),
        ("a.jsonl", _lines([{"content": "no role"}]), "prompt 1 of"),
        ("a.jsonl", _lines({"prompt": "hi", "max_tokens": 0}), "limits its answer to 0"),
        ("a.jsonl", _lines({"prompt": "hi", "max_tokens": "many"}), "limits its answer to 'many'"),
        ("a.jsonl", "{\n", "line 1"),
        ("a.docx", "hi", "unknown format"),
    ),
)
def test_what_holds_no_prompt_is_refused_with_its_place(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read_prompts(_write(tmp_path, name, text))
    assert told in caught.value.what


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for name in ("no.txt", "no.jsonl"):
        with pytest.raises(DataError):
            read_prompts(tmp_path / name)


def test_lengths_of_made_prompts_follow_their_distribution() -> None:
    words = np.array([one.words for one in make_prompts(parse_lengths("normal:60,10"), count=2_000, seed=3)])
    assert 60 == pytest.approx(float(words.mean()), abs=1)
    assert 10 == pytest.approx(float(words.std()), rel=0.1)
