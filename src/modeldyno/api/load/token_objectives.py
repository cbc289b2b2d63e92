"""Which objectives about tokens a load can be judged by, told before it begins."""

from collections.abc import Sequence

from modeldyno.api.load.questions.prompts import Prompts
from modeldyno.errors import ObjectiveError
from modeldyno.records.objective import TOKEN_LATENCY_METRICS, Objective
from modeldyno.records.workload import ProtocolName

_GENERATING: tuple[ProtocolName, ...] = ("openai-chat", "openai-completions")


def refuse_token_objectives(objectives: Sequence[Objective], *, verb: str) -> None:
    """For verbs that load no language model.

    Raises:
        ObjectiveError: one is about tokens.
    """
    for one in objectives:
        if one.is_about_tokens:
            raise ObjectiveError(
                f"{verb} cannot judge {one.text!r}",
                why="only a language model's answers come in tokens",
                hint="judge it with: dyno load URL --protocol openai-chat --slo ...",
            )


def check_token_objectives(
    objectives: Sequence[Objective], protocol: ProtocolName, prompts: Prompts | None = None
) -> None:
    """For a load.

    Raises:
        ObjectiveError: one is about tokens, and this load has none or does not see when they come.
    """
    if protocol not in _GENERATING:
        refuse_token_objectives(objectives, verb=f"a load with the protocol {protocol}")
    for one in objectives:
        if one.metric in TOKEN_LATENCY_METRICS and prompts is not None and not prompts.streams:
            raise ObjectiveError(
                f"{one.text!r} cannot be judged where answers come in one piece",
                why="when a token came is seen in a stream only",
                hint="leave out --no-stream",
            )
