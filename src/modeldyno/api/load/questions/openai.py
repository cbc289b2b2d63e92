"""OpenAI-compatible servers: prompts become chats, completions or texts to embed."""

from collections.abc import Sequence
from typing import Any

from modeldyno.api.load.questions.ask import Ask, Prepared, Questions
from modeldyno.api.load.questions.prompts import Prompts, prompts_for
from modeldyno.api.load.questions.word_cost import ask_word_cost
from modeldyno.data.prompts import Prompt
from modeldyno.errors import DataError, UsageError
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.dialects.openai import listed_model, prefix_of
from modeldyno.loadgen.wiring import PreparedRequest, ReaderName, Wiring
from modeldyno.records.files import digest_bytes
from modeldyno.records.workload import ProtocolName
from modeldyno.wire.openai import PATHS, Endpoint, Generation, encode_chat, encode_completion, encode_embeddings

_PROTOCOLS: dict[Endpoint, ProtocolName] = {
    "chat": "openai-chat",
    "completions": "openai-completions",
    "embeddings": "openai-embeddings",
}
_WHOLE: dict[Endpoint, ReaderName] = {
    "chat": "openai-chat",
    "completions": "openai-completions",
    "embeddings": "openai-embeddings",
}
_PATIENCE_S = 60.0
"""For the two prompts before the load: an engine may load its model with the first."""
_DISTINCT_TEXTS = 1024
"""Requests for vectors of each size."""


def openai_questions(url: str, ask: Ask, *, endpoint: Endpoint) -> Questions:
    """Find the model, and how prompts are put to it.

    Raises:
        TargetError: the server cannot be reached or does not list its models.
        UsageError: it lists several, or what is asked for does not go with the endpoint.
    """
    asked = ask.prompts or Prompts()
    _check(ask, asked, endpoint)
    model = ask.model or listed_model(url, ask.access)
    path = prefix_of(url) + PATHS[endpoint]

    def make(sizes: Sequence[int], seed: int) -> Prepared:
        if endpoint != "embeddings" and set(sizes) != {1}:
            raise UsageError(f"a request for {endpoint} holds one prompt", hint="leave out --rows")
        generation = _generation(model, asked)
        caller = Caller(url, ask.access, timeout_s=_PATIENCE_S)
        cost = None if asked.file is not None else ask_word_cost(caller, path, endpoint, generation)
        prompts, prompting = prompts_for(asked, seed, answers=endpoint != "embeddings", cost=cost)
        batches = _batches(prompts, sizes) if endpoint == "embeddings" else [[one] for one in prompts]
        requests = [
            PreparedRequest(_body(endpoint, batch, generation), _headers(asked, endpoint), len(batch), path)
            for batch in batches
        ]
        return Prepared(
            requests=requests,
            digest=digest_bytes(b"".join(one.body for one in requests)),
            description=None if asked.file is None else f"{asked.file}: {len(prompts):,} prompts",
            prompting=prompting,
        )

    streams = asked.streams and endpoint != "embeddings"
    return Questions(
        protocol=_PROTOCOLS[endpoint],
        model=model,
        wiring=Wiring(reader="openai" if streams else _WHOLE[endpoint], access=ask.access),
        make=make,
    )


def _check(ask: Ask, asked: Prompts, endpoint: Endpoint) -> None:
    if ask.data is not None:
        raise UsageError("a language model is asked prompts, not rows of data", hint="--prompts FILE")
    if ask.check is not None:
        raise UsageError(
            "the answers of a language model cannot be held against expected ones",
            why="they differ from run to run, and with what is answered beside them",
            hint="leave out --expected",
        )
    if endpoint == "embeddings" and (asked.output_tokens is not None or asked.ignore_eos or asked.system):
        raise UsageError(
            "vectors have no length and no conversation", hint="leave out --output-tokens, --ignore-eos and --system"
        )
    if endpoint == "completions" and asked.system:
        raise UsageError("only a chat has a system message", hint="--protocol openai-chat, or leave out --system")


def _generation(model: str, asked: Prompts) -> Generation:
    return Generation(
        model=model,
        streams=asked.streams,
        limit_field=asked.limit_field,
        ignore_eos=asked.ignore_eos,
        system=asked.system,
        temperature=asked.temperature,
        extra=dict(asked.body),
    )


def _batches(prompts: Sequence[Prompt], sizes: Sequence[int]) -> list[list[Prompt]]:
    """Texts of each size of request, taken in turn.

    Raises:
        DataError: there are fewer texts than a request holds.
    """
    batches = []
    for size in sizes:
        if size > len(prompts):
            raise DataError(f"there are {len(prompts):,} texts, and a request of {size:,} is to be sent")
        starts = range(0, len(prompts) - size + 1, size)[: max(1, _DISTINCT_TEXTS // len(sizes))]
        batches += [list(prompts[start : start + size]) for start in starts]
    return batches


def _body(endpoint: Endpoint, batch: Sequence[Prompt], generation: Generation) -> bytes:
    prompt = batch[0]
    if endpoint == "chat":
        messages: Sequence[Any] = prompt.messages or ({"role": "user", "content": prompt.text},)
        return encode_chat(messages, generation, prompt.output_tokens)
    if any(one.messages for one in batch):
        raise DataError(f"the prompts hold messages, and {endpoint} take texts", hint="--protocol openai-chat")
    if endpoint == "completions":
        return encode_completion(prompt.text, generation, prompt.output_tokens)
    return encode_embeddings([one.text for one in batch], generation)


def _headers(asked: Prompts, endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
    accepted = "text/event-stream" if asked.streams and endpoint != "embeddings" else "application/json"
    return ("Content-Type", "application/json"), ("Accept", accepted)
