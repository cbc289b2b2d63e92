"""What a language model is asked under load: where the prompts come from and how long they and the answers are."""

import math
from typing import Literal

from modeldyno.errors import UsageError
from modeldyno.records.base import Record

LengthShape = Literal["fixed", "uniform", "normal", "lognormal"]
MOST_TOKENS = 1_000_000
_WITH_A_MEAN: dict[str, LengthShape] = {"normal": "normal", "lognormal": "lognormal"}


class Lengths(Record, frozen=True, kw_only=True):
    """A distribution of lengths in tokens, whole numbers of at least 1."""

    text: str
    """As the user wrote it."""
    shape: LengthShape
    first: float
    """`fixed`: the length; `uniform`: the least; `normal`, `lognormal`: the mean."""
    second: float = 0.0
    """`uniform`: the largest; `normal`, `lognormal`: the standard deviation, of the lengths themselves."""


class WordCost(Record, frozen=True, kw_only=True):
    """What words are to a server, by its own count of two prompts before the load."""

    tokens_a_word: float
    tokens_beside: float
    """Of the template and the system message, in each prompt."""

    def words_for(self, tokens: int) -> int:
        """As many words as make a prompt of so many tokens, as nearly as can be; at least 1."""
        return max(1, round((tokens - self.tokens_beside) / self.tokens_a_word))


class Prompting(Record, frozen=True, kw_only=True):
    """The prompts of a load and what limits the answers."""

    source: str
    """Path of the file; `made` when they were made of words drawn by the seed."""
    digest: str | None = None
    """`sha256:` of the file; None for prompts that were made."""
    distinct: int
    """Different requests that were prepared; beyond so many, they come again in the same order."""
    mean_words: float
    """Words in a prompt, on average."""
    word_cost: WordCost | None = None
    """How prompts that were made got their length; None where each word stood for a token."""
    prompt_tokens: Lengths | None = None
    """Asked for, of prompts that were made."""
    output_tokens: Lengths | None = None
    """Limit of the answers; None leaves it to the file or to the server."""
    streams: bool = True
    ignores_eos: bool = False
    """The server was asked to make all tokens of the limit."""


def parse_lengths(text: str) -> Lengths:
    """`"64"`, `"uniform:32-512"`, `"normal:256,64"` or `"lognormal:256,64"` (mean and standard deviation) to lengths.

    Raises:
        UsageError: another form, a length below 1 or above a million, or limits the wrong way round.
    """
    shape, colon, numbers = text.strip().partition(":")
    try:
        if not colon:
            found = Lengths(text=text, shape="fixed", first=int(shape))
        elif shape == "uniform":
            least, _, most = numbers.partition("-")
            found = Lengths(text=text, shape="uniform", first=int(least), second=int(most))
        elif shape in _WITH_A_MEAN:
            mean, _, deviation = numbers.partition(",")
            found = Lengths(text=text, shape=_WITH_A_MEAN[shape], first=float(mean), second=float(deviation))
        else:
            raise _refused(text, f"{shape!r} is not a distribution")
    except ValueError:
        raise _refused(text, "its numbers do not parse") from None
    _check(found)
    return found


def _check(found: Lengths) -> None:
    longest = max(found.first, found.second)
    if not (found.first >= 1 and longest <= MOST_TOKENS) or math.isnan(found.second):
        raise _refused(found.text, f"a length is at least 1 and at most {MOST_TOKENS:,}")
    if found.shape == "uniform" and found.second < found.first:
        raise _refused(found.text, "the least is above the largest")
    if found.second < 0:
        raise _refused(found.text, "a standard deviation is not below 0")


def _refused(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a length in tokens, nor a distribution of lengths",
        why=why,
        hint="for example 64, uniform:32-512, normal:256,64 or lognormal:256,64 (mean and standard deviation)",
    )
