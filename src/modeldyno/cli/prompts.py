"""Arguments about the prompts of a language model, which several verbs share."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from modeldyno.cli.typed import typed
from modeldyno.errors import UsageError
from modeldyno.records.prompting import parse_lengths

if TYPE_CHECKING:
    from modeldyno.api.load.questions.prompts import Prompts

_OPTIONS = (
    "prompts", "prompt_tokens", "output_tokens", "no_stream", "system", "temperature", "ignore_eos", "token_limit",
    "body",
)  # fmt: skip


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """What a language model is asked, with the protocols `openai-*`."""
    group = parser.add_argument_group("prompts (--protocol openai-chat, openai-completions, openai-embeddings)")
    group.add_argument(
        "--prompts",
        metavar="FILE",
        help="of prompts or messages: .jsonl, .txt, .csv, .parquet (default: made of words)",
    )
    group.add_argument(
        "--prompt-tokens",
        type=typed(parse_lengths),
        metavar="DIST",
        help="length of made prompts: 64, uniform:32-512, normal:256,64, lognormal:256,64 (64)",
    )
    group.add_argument(
        "--output-tokens",
        type=typed(parse_lengths),
        metavar="DIST",
        help="limit of the answers, as for --prompt-tokens (64; the file's for --prompts)",
    )
    group.add_argument("--ignore-eos", action="store_true", help="ask for all tokens of the limit (vLLM, SGLang)")
    group.add_argument("--no-stream", action="store_true", help="ask for answers in one piece")
    group.add_argument("--system", metavar="TEXT", help="first message of every chat")
    group.add_argument("--temperature", type=float, metavar="X", help="of sampling (default: the server's)")
    group.add_argument(
        "--body", metavar="JSON", help="further fields of every request: '{\"top_p\": 0.9}'; null leaves out"
    )
    group.add_argument(
        "--token-limit",
        choices=("max_tokens", "max_completion_tokens"),
        help="the field that limits an answer (max_tokens)",
    )


def prompts_of(arguments: argparse.Namespace) -> "Prompts | None":
    """What `add_prompts` declared; None when nothing of it was given."""
    if not any(getattr(arguments, name) not in (None, False) for name in _OPTIONS):
        return None
    from modeldyno.api.load.questions.prompts import Prompts

    return Prompts(
        file=arguments.prompts,
        prompt_tokens=arguments.prompt_tokens,
        output_tokens=arguments.output_tokens,
        streams=not arguments.no_stream,
        system=arguments.system or "",
        temperature=arguments.temperature,
        ignore_eos=arguments.ignore_eos,
        limit_field=arguments.token_limit or "max_tokens",
        body=_body_of(arguments.body),
    )


def _body_of(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"--body {text!r} is not JSON", why=str(problem), hint="for example '{\"top_p\": 0.9}'") from (
            problem
        )
    if not isinstance(fields, dict):
        raise UsageError(f"--body {text!r} is not an object", hint="for example '{\"top_p\": 0.9}'")
    return fields
