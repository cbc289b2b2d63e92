"""What a client asks of an OpenAI-compatible server; no socket."""

from typing import Any

import msgspec


class RefusedError(Exception):
    """The request is answered with an error; its text says what is wrong."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class Completion(msgspec.Struct):
    """A request to `/v1/chat/completions` or `/v1/completions`, as far as it changes the answer."""

    model: str
    messages: list[dict[str, Any]] | None = None
    prompt: str | list[Any] | None = None
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = 1

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the counts of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    def tokens(self, usual: int) -> int:
        """How many tokens the answer has."""
        asked = self.max_completion_tokens or self.max_tokens
        return usual if asked is None else asked

    def prompt_tokens(self) -> int:
        """Words of the prompt, and the numbers in one that is made of them."""
        if self.messages is not None:
            return sum(count_tokens(message.get("content")) for message in self.messages)
        return count_tokens(self.prompt)


class Embedding(msgspec.Struct):
    """A request to `/v1/embeddings`."""

    model: str
    input: str | list[Any]
    encoding_format: str | None = "float"

    @property
    def inputs(self) -> int:
        """How many vectors are asked for: a list of numbers is one text, as tokens."""
        if isinstance(self.input, str) or (self.input and isinstance(self.input[0], int)):
            return 1
        return len(self.input)


def count_tokens(content: Any) -> int:
    """Words of a text or of the texts in it; a number is a token."""
    if isinstance(content, str):
        return len(content.split())
    if isinstance(content, int):
        return 1
    if isinstance(content, dict):
        return count_tokens(content.get("text"))
    return sum(count_tokens(part) for part in content) if isinstance(content, list) else 0


def read_completion(body: bytes, model: str, *, is_chat: bool) -> Completion:
    """A request for a completion.

    Raises:
        RefusedError: it is malformed, or asks for what the streamer does not do.
    """
    try:
        asked = msgspec.json.decode(body, type=Completion)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise RefusedError(str(problem)) from problem
    missing = asked.messages if is_chat else asked.prompt
    if missing is None:
        raise RefusedError(f"the request has no {'messages' if is_chat else 'prompt'}")
    if asked.model != model:
        raise RefusedError(f"the model {asked.model!r} does not exist; there is {model!r}")
    if asked.tokens(1) < 1 or (asked.n or 1) != 1:
        raise RefusedError("max_tokens must be at least 1, and n must be 1")
    return asked


def read_embedding(body: bytes, model: str) -> Embedding:
    """A request for embeddings.

    Raises:
        RefusedError: it is malformed, or of another model.
    """
    try:
        asked = msgspec.json.decode(body, type=Embedding)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise RefusedError(str(problem)) from problem
    if asked.model != model:
        raise RefusedError(f"the model {asked.model!r} does not exist; there is {model!r}")
    return asked
