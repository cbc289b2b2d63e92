"""The tokens of a language model's load, in words that terminal, page and Markdown share."""

from modeldyno.records.base import Estimate
from modeldyno.records.prompting import Prompting
from modeldyno.records.run import Distribution, LatencySummary, TokenSummary
from modeldyno.reports.estimates import MISSING, duration_text, number_text
from modeldyno.units import format_number, format_rate

TOKEN_TIMES = (
    ("first token", "time_to_first_token"),
    ("first token from send", "time_to_first_token_from_send"),
    ("between tokens", "inter_token_latency"),
    ("per output token", "time_per_output_token"),
)
"""The columns of the table of times, and the fields of `TokenSummary`."""


def streams(tokens: TokenSummary) -> bool:
    """Whether there are times of tokens to tell."""
    return tokens.streamed > 0


def token_facts(tokens: TokenSummary) -> list[tuple[str, str]]:
    """Name and value of what is known beside the times; without what there was none of."""
    generated = [
        ("output tokens", rate_text(tokens.output_tokens_per_s)),
        ("output tokens/s of a request", _of_requests(tokens.output_tokens_per_s_of_request, "/s")),
        ("output tokens a request", _of_requests(tokens.output_tokens)),
    ]
    return [
        *(generated if tokens.output_tokens.largest is not None else []),
        ("input tokens a request", _of_requests(tokens.input_tokens)),
        ("counted by", _counted_by(tokens)),
    ]


def prompting_text(prompting: Prompting) -> str:
    """`made of words, 64 tokens, answers up to 64 tokens, streamed`."""
    if prompting.prompt_tokens is not None:
        length = prompting.prompt_tokens.text
        asked = f"made of {length} words" if prompting.word_cost is None else f"made of words, {length} tokens"
    else:
        asked = f"{prompting.distinct:,} different ones of {prompting.source}"
    limit = f"answers up to {prompting.output_tokens.text} tokens" if prompting.output_tokens is not None else ""
    forced = "all of them asked for" if prompting.ignores_eos else ""
    streamed = "streamed" if prompting.streams else "not streamed"
    return ", ".join(one for one in (asked, limit, forced, streamed) if one)


def highest_level(found: LatencySummary) -> tuple[str, Estimate] | None:
    """Name and value of the highest percentile that the sample supports; None when it supports none."""
    levels = (("p99", found.p99_ns), ("p95", found.p95_ns), ("p90", found.p90_ns), ("p50", found.p50_ns))
    return next(((name, value) for name, value in levels if value is not None), None)


def tokens_text(tokens: TokenSummary | None) -> str:
    """`first token p99 48.0 ms [45.1, 52.0], 3,200/s output tokens`; empty where there is nothing to tell."""
    if tokens is None:
        return ""
    highest = highest_level(tokens.time_to_first_token)
    rate = tokens.output_tokens_per_s
    told = [
        f"first token {highest[0]} {duration_text(highest[1])}" if highest is not None else "",
        f"{rate_text(rate)} output tokens" if rate is not None else "",
    ]
    return ", ".join(one for one in told if one)


def rate_text(estimate: Estimate | None) -> str:
    """`3,200/s [2,990, 3,410]`."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return MISSING if estimate is None else format_rate(estimate.value)
    return f"{format_rate(estimate.value)} [{format_number(estimate.low)}, {format_number(estimate.high)}]"


def _of_requests(found: Distribution, unit: str = "") -> str:
    """`64.0 on average [63.1, 64.9], from 12 to 128`."""
    if found.least is None or found.largest is None:
        return MISSING
    if found.least == found.largest:
        return f"{format_number(found.least)}{unit}"
    mean = f"{number_text(found.mean, unit)} on average, " if found.mean is not None else ""
    return f"{mean}from {format_number(found.least)}{unit} to {format_number(found.largest)}{unit}"


def _counted_by(tokens: TokenSummary) -> str:
    if not tokens.counted:
        return "the pieces of the streams, for the server counts none" if tokens.streamed else "nobody"
    if tokens.counted < tokens.streamed:
        return f"the server in {tokens.counted:,} answers, the pieces in the others"
    return "the server"
