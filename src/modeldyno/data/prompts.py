"""Prompts: from a file, or made of words to a given distribution of lengths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modeldyno.data.columns import read_columns
from modeldyno.data.words import WORDS
from modeldyno.errors import DataError
from modeldyno.records.files import digest_file
from modeldyno.records.prompting import Lengths, WordCost
from modeldyno.seeds import child_generator
from modeldyno.traffic.lengths import draw_lengths

ENDINGS = (".jsonl", ".txt", ".csv", ".parquet")
PROMPT_NAMES = ("prompt", "text", "input", "question", "instruction", "text_input")
LIMIT_NAMES = ("max_tokens", "output_tokens", "max_completion_tokens", "output_length")
_DRAWS = 20


class Prompt(NamedTuple):
    """One thing to ask."""

    text: str
    """Empty when there are `messages`."""
    messages: tuple[Mapping[str, Any], ...] = ()
    """Of a chat, as OpenAI has them: objects with `role` and `content`."""
    output_tokens: int | None = None
    """Limit of the answer; None where the file says none."""

    @property
    def words(self) -> int:
        """Of the text, or of all texts among the messages."""
        if not self.messages:
            return len(self.text.split())
        return sum(len(one["content"].split()) for one in self.messages if isinstance(one.get("content"), str))


def make_prompts(lengths: Lengths, *, count: int, seed: int, cost: WordCost | None = None) -> list[Prompt]:
    """Prompts of so many tokens, all different where that can be; without a `cost`, of as many words.

    They begin with different words, so that a server finds little in a cache of prefixes. The words make no sense:
    what an engine does with a prompt depends on its length and not on what it says, but how long its answer is does.

    Args:
        lengths: of a prompt.
        count: how many; at least 1.
        seed: the root seed; equal seeds make equal prompts.
        cost: of a word, in tokens.
    """
    generator = child_generator(seed, "prompts/words")
    sizes = draw_lengths(lengths, count=count, seed=seed, use="prompts")
    made: dict[str, None] = {}
    again: list[str] = []
    for tokens in sizes.tolist():
        size = tokens if cost is None else cost.words_for(tokens)
        for _ in range(_DRAWS):
            text = " ".join(WORDS[place] for place in generator.integers(0, len(WORDS), size).tolist())
            if text not in made:
                made[text] = None
                break
        else:
            again.append(text)  # of one or two words there are not enough different prompts
    return [Prompt(text) for text in (*made, *again)]


def read_prompts(path: Path) -> tuple[list[Prompt], str]:
    """The prompts of a file, in its order, and its digest.

    A line of a .txt file is a prompt. A line of a .jsonl file is a text, a list of messages, or an object with one of
    `prompt`, `text`, `input`, `question`, `instruction` or `messages`; a .csv or .parquet file has a column of one of
    these names, or only one column. `max_tokens` or `output_tokens` beside it limits the answer.

    Raises:
        DataError: missing, unreadable, of an unknown format or empty, or a row that holds no prompt.
    """
    if path.suffix.lower() == ".txt":
        rows: list[object] = list(_lines(path))
    elif path.suffix.lower() in ENDINGS:
        columns = read_columns(path)
        rows = [columns.value(index) for index in range(columns.rows)]
    else:
        raise DataError(f"{path} has an unknown format", why=f"files of prompts end in {', '.join(ENDINGS)}")
    prompts = [_prompt(path, place, row) for place, row in enumerate(rows, 1)]
    return prompts, digest_file(path)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise DataError(f"cannot read {path}", why=problem.strerror or str(problem)) from problem
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not UTF-8", why=str(problem)) from problem
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path} holds no prompt", hint="write one on each line")
    return lines


def _prompt(path: Path, place: int, row: object) -> Prompt:
    if isinstance(row, Mapping):
        name = next((one for one in ("messages", *PROMPT_NAMES) if one in row), None)
        if name is None:
            raise DataError(
                f"prompt {place} of {path} has only {', '.join(map(str, row)) or 'nothing'}",
                hint="call it prompt or messages",
            )
        limit = next((row[one] for one in LIMIT_NAMES if row.get(one) is not None), None)
        return _checked(path, place, row[name])._replace(output_tokens=_limit(path, place, limit))
    return _checked(path, place, row)


def _checked(path: Path, place: int, content: object) -> Prompt:
    if isinstance(content, str) and content.strip():
        return Prompt(content)
    if isinstance(content, list) and content and all(isinstance(one, Mapping) and "role" in one for one in content):
        return Prompt("", tuple(content))
    raise DataError(
        f"prompt {place} of {path} is not one: {str(content)[:60]!r}",
        why="a prompt is a text that is not empty, or a list of messages, each with a role",
    )


def _limit(path: Path, place: int, limit: object) -> int | None:
    if limit is None or (isinstance(limit, int) and limit >= 1):
        return limit
    if isinstance(limit, float) and limit >= 1 and limit.is_integer():
        return int(limit)  # a column with gaps comes as numbers with a fraction
    raise DataError(f"prompt {place} of {path} limits its answer to {limit!r}", why="a limit is a whole number above 0")
