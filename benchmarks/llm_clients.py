"""The command lines of the clients for language models, and where each writes what it measured."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from digits_clients import OURS
from environments import peer_program
from running import ClientError

MODEL = "known"
TOKENS = 64
_PROMPT_TOKENS = 32


class Stream(NamedTuple):
    """What every client is asked for: chats of 32 tokens in and 64 out, streamed."""

    url: str
    directory: Path
    """For its files; a tokenizer is in `tokenizer` beside it."""
    tokenizer: Path
    seconds: int
    users: int = 0
    """Of a closed loop."""
    rate_per_s: int = 0
    """Constant, instead of users."""


class Medians(NamedTuple):
    """What a client says of its run, ms."""

    first_token_ms: float
    inter_token_ms: float


class Client(NamedTuple):
    """How one is started, and how its result is read."""

    command: Callable[[Stream], list[str]]
    medians: Callable[[Path], Medians]


def _modeldyno(asked: Stream) -> list[str]:
    load = (
        ["--arrivals", "constant", "--rate", str(asked.rate_per_s)]
        if asked.rate_per_s
        else ["--concurrency", str(asked.users)]
    )
    prompts = ["--prompt-tokens", str(_PROMPT_TOKENS), "--output-tokens", str(TOKENS)]
    run = ["--duration", f"{asked.seconds}s", "--warmup", "1s", "--out", str(asked.directory / "run"), "--json"]
    words = [sys.executable, "-m", "modeldyno", "load", asked.url, "--protocol", "openai-chat", "--model", MODEL]
    return [*words, *prompts, *load, *run]


def _modeldyno_medians(directory: Path) -> Medians:
    tokens = json.loads((directory / "run" / "run.json").read_text())["summary"]["tokens"]
    first, gap = tokens["time_to_first_token_from_send"]["p50_ns"], tokens["inter_token_latency"]["p50_ns"]
    if first is None or gap is None:
        raise ClientError("too few independent answers for a median: the machine stalled for too long")
    return Medians(first["value"] / 1e6, gap["value"] / 1e6)


def _aiperf(asked: Stream) -> list[str]:
    load = (
        ["--request-rate", str(asked.rate_per_s), "--arrival-pattern", "constant"]
        if asked.rate_per_s
        else ["--concurrency", str(asked.users)]
    )
    what = ["--model", MODEL, "--url", asked.url, "--endpoint-type", "chat", "--streaming"]
    prompts = ["--tokenizer", str(asked.tokenizer), "--isl", str(_PROMPT_TOKENS), "--osl", str(TOKENS)]
    quiet = ["--ui", "none", "--no-server-metrics", "--no-gpu-telemetry"]
    run = ["--benchmark-duration", str(asked.seconds), "--artifact-dir", str(asked.directory)]
    return [peer_program("aiperf", "aiperf"), "profile", *what, *prompts, *quiet, *load, *run]


def _aiperf_medians(directory: Path) -> Medians:
    found = json.loads((directory / "profile_export_aiperf.json").read_text())
    return Medians(found["time_to_first_token"]["p50"], found["inter_token_latency"]["p50"])


def _guidellm(asked: Stream) -> list[str]:
    load = f"kind=constant,rate={asked.rate_per_s}" if asked.rate_per_s else f"kind=concurrent,streams={asked.users}"
    words = [
        peer_program("guidellm", "guidellm"),
        "run",
        "--backend",
        f"kind=openai_http,target={asked.url},model={MODEL}",
    ]
    prompts = f"kind=synthetic_text,prompt_tokens={_PROMPT_TOKENS},output_tokens={TOKENS}"
    return [
        *words,
        "--tokenizer", f"kind=hf_auto,model={asked.tokenizer}",
        "--data", prompts,
        "--constraint", f"kind=max_duration,seconds={asked.seconds}",
        "--profile", load,
        "--disable-console-interactive",
        "--output", f"kind=json,path={asked.directory / 'guidellm.json'}",
    ]  # fmt: skip


def _guidellm_medians(directory: Path) -> Medians:
    found: dict[str, Any] = json.loads((directory / "guidellm.json").read_text())["benchmarks"][0]["metrics"]
    first, gap = (found[name]["successful"]["median"] for name in ("time_to_first_token_ms", "inter_token_latency_ms"))
    return Medians(first, gap)


CLIENTS = {
    OURS: Client(_modeldyno, _modeldyno_medians),
    "AIPerf": Client(_aiperf, _aiperf_medians),
    "GuideLLM": Client(_guidellm, _guidellm_medians),
}
