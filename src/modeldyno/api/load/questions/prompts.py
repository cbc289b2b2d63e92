"""What the user says about the prompts of a language model, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from modeldyno.data.prompts import Prompt, make_prompts, read_prompts
from modeldyno.errors import UsageError
from modeldyno.records.prompting import Lengths, Prompting, WordCost, parse_lengths
from modeldyno.traffic.lengths import draw_lengths

DEFAULT_LENGTHS = parse_lengths("64")
"""Of made prompts and of their answers: without a limit some servers write until their context is full."""
_MOST_PROMPTS = 16_384
_MOST_WORDS = 2_000_000
"""In all made prompts together: a third of a second to make, and a dozen megabytes for each sending process."""


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """What a language model is asked.

    Raises:
        UsageError: prompts of a length are to be made and to be read, or a field of the body is not to be had.
    """

    file: str | PathLike[str] | None = None
    """Of prompts; without, they are made."""
    prompt_tokens: Lengths | None = None
    """Words in made prompts."""
    output_tokens: Lengths | None = None
    """Limit of each answer; wins over what the file says."""
    streams: bool = True
    system: str = ""
    """First message of every chat."""
    temperature: float | None = None
    ignore_eos: bool = False
    """Ask for all tokens of the limit, by `ignore_eos` and `min_tokens`, extensions of vLLM."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    body: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of every body; null takes one away."""

    def __post_init__(self) -> None:
        if self.file is not None and self.prompt_tokens is not None:
            raise UsageError(
                "prompts are either read or made", why="a file has its own lengths", hint="leave out --prompt-tokens"
            )
        taken = {"messages", "prompt", "input", "stream"} & self.body.keys()
        if taken:
            raise UsageError(
                f"--body sets {', '.join(sorted(taken))}",
                why="the load generator writes these fields",
                hint="see --prompts, --system and --no-stream",
            )


def prompts_for(
    asked: Prompts, seed: int, *, answers: bool = True, cost: WordCost | None = None
) -> tuple[list[Prompt], Prompting]:
    """The prompts, each with the limit of its answer, and the record of them.

    Args:
        asked: what the user says.
        seed: of words and lengths.
        answers: whether tokens are generated; vectors have no length to limit.
        cost: of a word to the server, for prompts that are made.

    Raises:
        DataError: the file cannot be read or holds no prompts.
        UsageError: all tokens are to be generated, of answers without a limit.
    """
    digest = None
    output_tokens = asked.output_tokens
    if asked.file is not None:
        prompts, digest = read_prompts(Path(asked.file))
        lengths = None
    else:
        lengths = asked.prompt_tokens or DEFAULT_LENGTHS
        prompts = make_prompts(lengths, count=_count(lengths), seed=seed, cost=cost)
        output_tokens = output_tokens or (DEFAULT_LENGTHS if answers else None)
    if output_tokens is not None:
        limits = draw_lengths(output_tokens, count=len(prompts), seed=seed, use="answers").tolist()
        prompts = [one._replace(output_tokens=limit) for one, limit in zip(prompts, limits, strict=True)]
    if asked.ignore_eos and any(one.output_tokens is None for one in prompts):
        raise UsageError("--ignore-eos needs a number of tokens to generate", hint="--output-tokens 128")
    return prompts, Prompting(
        source="made" if asked.file is None else str(asked.file),
        digest=digest,
        distinct=len({(one.text, str(one.messages)) for one in prompts}),
        mean_words=sum(one.words for one in prompts) / len(prompts),
        word_cost=cost if lengths is not None else None,
        prompt_tokens=lengths,
        output_tokens=output_tokens,
        streams=asked.streams and answers,
        ignores_eos=asked.ignore_eos,
    )


def _count(lengths: Lengths) -> int:
    longest = max(lengths.first, lengths.second) if lengths.shape == "uniform" else lengths.first + 2 * lengths.second
    return max(16, min(_MOST_PROMPTS, round(_MOST_WORDS / longest)))
