"""The OpenAI-compatible protocol: chat, completions and embeddings; requests out, answers and streams in.

Source: OpenAI API reference (platform.openai.com/docs/api-reference: chat, completions, embeddings, streaming), read
as the engines write it: vLLM, SGLang, llama.cpp and `transformers serve` add fields, leave out others, and send what
models think as `reasoning_content` or `reasoning`. Only what is measured is looked at; all else is read over.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from modeldyno.wire.errors import WireError
from modeldyno.wire.sse import EventReader

Endpoint = Literal["chat", "completions", "embeddings"]
PATHS: dict[Endpoint, str] = {"chat": "/chat/completions", "completions": "/completions", "embeddings": "/embeddings"}
"""Behind the `/v1` of the base URL."""
END_MARK = b"[DONE]"


class ReportedError(Exception):
    """The server says in its answer, whose status was good, that it failed.

    Args:
        message: as the server says it.
        status: the HTTP status that it names; 0 when it names none.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of each answer, beside the prompt."""

    model: str
    streams: bool = True
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Most engines know the first; some models of OpenAI take only the second, for chat."""
    ignore_eos: bool = False
    """Generate all tokens asked for, whatever the model says: `ignore_eos` and `min_tokens`, extensions of vLLM."""
    system: str = ""
    """First message of a chat."""
    temperature: float | None = None
    extra: dict[str, Any] = {}
    """Further fields of the body; they win, and null takes a field away."""


def encode_chat(messages: Sequence[Mapping[str, Any]], generation: Generation, output_tokens: int | None) -> bytes:
    """The body of a chat request; `output_tokens` limits the answer, None leaves it to the server."""
    system = [{"role": "system", "content": generation.system}] if generation.system else []
    return _generating({"messages": [*system, *messages]}, generation, output_tokens)


def encode_completion(prompt: str, generation: Generation, output_tokens: int | None) -> bytes:
    """The body of a completion request; `output_tokens` limits the answer, None leaves it to the server."""
    return _generating({"prompt": prompt}, generation, output_tokens)


def encode_embeddings(texts: Sequence[str], generation: Generation) -> bytes:
    """The body of a request for one vector a text."""
    given = texts[0] if len(texts) == 1 else list(texts)
    return _body({"model": generation.model, "input": given}, generation.extra)


def _generating(question: Mapping[str, Any], generation: Generation, output_tokens: int | None) -> bytes:
    fields: dict[str, Any] = {"model": generation.model, **question}
    if generation.temperature is not None:
        fields["temperature"] = generation.temperature
    if output_tokens is not None:
        fields[generation.limit_field] = output_tokens
        if generation.ignore_eos:
            fields |= {"ignore_eos": True, "min_tokens": output_tokens}
    fields["stream"] = generation.streams
    if generation.streams:
        # Without it a server does not say how many tokens it made of an answer that streams.
        fields["stream_options"] = {"include_usage": True}
    return _body(fields, generation.extra)


def _body(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> bytes:
    merged = {**fields, **extra}
    return msgspec.json.encode({name: value for name, value in merged.items() if value is not None})


class Counts(NamedTuple):
    """Tokens as the server counts them; -1 where it does not."""

    input_tokens: int
    output_tokens: int


# Decoding a chunk is what most of a stream's time goes into: fields that are not looked at are not decoded, and what
# is thrown away at once is not tracked by the garbage collector (0.5 µs instead of 1.2 µs a chunk).


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Function(msgspec.Struct, gc=False):
    arguments: Any = None


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Delta | None = None
    text: Any = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class _Failure(msgspec.Struct, gc=False):
    """`{"error": {"message", "code"}}` of OpenAI, or `{"object": "error", "message", "code"}` of older vLLM."""

    error: Any = None
    object: Any = None
    message: Any = None
    code: Any = None


_CHUNKS = msgspec.json.Decoder(_Chunk)
_FAILURES = msgspec.json.Decoder(_Failure)
_BAD_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class TokenStream:
    """The stream of one answer: when its pieces came, what the server counted, and whether it came to its end.

    A piece is a chunk with content: text, thoughts, a refusal, or arguments of a tool. A chunk with a role only, an
    empty one and one with nothing but usage are none.
    """

    __slots__ = ("_events", "_finished", "_highest", "_is_done", "counts", "has_begun", "moments_ns")

    def __init__(self) -> None:
        self._events = EventReader()
        self._finished = 0
        """Choices whose `finish_reason` came."""
        self._highest = 0
        self._is_done = False
        self.has_begun = False
        """Whether any event came: a body that is no stream has none."""
        self.moments_ns: list[int] = []
        """When each piece came."""
        self.counts = Counts(-1, -1)

    @property
    def is_complete(self) -> bool:
        """Whether `[DONE]` came, or the `finish_reason` of every choice: some servers send only one of the two."""
        return self._is_done or self._finished > self._highest

    def feed(self, data: bytes, moment_ns: int) -> None:
        """Take what came at `moment_ns`.

        Raises:
            WireError: it is not what the protocol allows.
            ReportedError: the server says that it failed.
        """
        for event in self._events.feed(data):
            self._take(event, moment_ns)

    def end(self) -> None:
        """The body has ended; a last event without its blank line counts when it is the end mark."""
        if self._events.end() == END_MARK:
            self._is_done = True

    def _take(self, event: bytes, moment_ns: int) -> None:
        self.has_begun = True
        if event == END_MARK:
            self._is_done = True
            return
        try:
            chunk = _CHUNKS.decode(event)
        except _BAD_JSON as problem:
            raise WireError(f"not a chunk of a stream: {problem}") from problem
        if not chunk.choices or chunk.error is not None:
            _raise_failure(event)
        for choice in chunk.choices or ():
            delta = choice.delta
            if (delta is not None and (delta.content or _has_content(delta))) or choice.text:
                self.moments_ns.append(moment_ns)
            if choice.index:
                self._highest = max(self._highest, choice.index)
            if choice.finish_reason is not None:
                self._finished += 1
        if chunk.usage is not None:
            self.counts = _counted(chunk.usage)


def _has_content(delta: _Delta) -> bool:
    if delta.reasoning_content or delta.reasoning or delta.refusal:
        return True
    return any(call.function is not None and call.function.arguments for call in delta.tool_calls or ())


def _counted(usage: _Usage) -> Counts:
    return Counts(
        -1 if usage.prompt_tokens is None else usage.prompt_tokens,
        -1 if usage.completion_tokens is None else usage.completion_tokens,
    )


def _raise_failure(document: bytes) -> None:
    """Raise ReportedError when the document, which is known to be JSON, says that the server failed."""
    failure = _FAILURES.decode(document)
    if failure.error is None and failure.object != "error":
        return
    said = failure.error if isinstance(failure.error, dict) else {"message": failure.error or failure.message}
    code = str(said.get("code", failure.code))
    status = int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 0
    raise ReportedError(str(said.get("message")), status)


class _WholeChoice(msgspec.Struct, frozen=True):
    message: dict[str, Any] | None = None
    text: str | None = None


class _Whole(msgspec.Struct, frozen=True):
    choices: list[_WholeChoice] | None = None
    data: list["_Vector"] | None = None
    usage: _Usage | None = None


class _Vector(msgspec.Struct, frozen=True):
    embedding: msgspec.Raw


_WHOLES = msgspec.json.Decoder(_Whole)
_NO_VECTOR = (b"null", b"[]", b'""')


def read_answer(endpoint: Endpoint, body: bytes, rows: int = 1) -> Counts:
    """The tokens of an answer that does not stream, after a look at whether it is one.

    Args:
        endpoint: that was asked.
        body: the whole.
        rows: texts for which vectors were asked.

    Raises:
        WireError: it is not an answer of this endpoint, or lacks what was asked for.
        ReportedError: the server says that it failed.
    """
    try:
        answer = _WHOLES.decode(body)
    except _BAD_JSON as problem:
        raise WireError(f"not an answer: {problem}") from problem
    if not answer.choices and not answer.data:
        _raise_failure(body)
    if endpoint == "embeddings":
        vectors = [one for one in answer.data or () if bytes(one.embedding) not in _NO_VECTOR]
        if len(vectors) != rows:
            raise WireError(f"{len(vectors)} vectors for {rows} texts")
    elif not any((one.message if endpoint == "chat" else one.text) is not None for one in answer.choices or ()):
        raise WireError("an answer without a choice")
    return Counts(-1, -1) if answer.usage is None else _counted(answer.usage)
