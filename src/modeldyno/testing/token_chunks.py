"""The answers of an OpenAI-compatible server as bytes, made ahead as far as they can be; no socket.

See https://platform.openai.com/docs/api-reference/chat/streaming and .../completions; events are those of the HTML
standard, section 9.2, in the chunked coding of RFC 9112, section 7.1.
"""

import base64
from typing import Any, NamedTuple

import msgspec
import numpy as np

from modeldyno.wire.http1_head import format_response

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
END_OF_BODY = b"0\r\n\r\n"
DONE = b"e\r\ndata: [DONE]\n\n\r\n"
WORD = " word"
"""What every token is."""
_CREATED = 1_767_225_600
_DIGITS = 12


class Usage(NamedTuple):
    """Tokens as the server counts them."""

    prompt: int
    completion: int

    def document(self) -> dict[str, int]:
        """The `usage` of an answer."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


class Dialect:
    """The answers of one endpoint: chat or plain completions.

    Args:
        model: its name, which every answer repeats.
        is_chat: `/v1/chat/completions` rather than `/v1/completions`.
    """

    def __init__(self, model: str, *, is_chat: bool) -> None:
        self._model = model
        self._is_chat = is_chat
        self._kind = "chat.completion" if is_chat else "text_completion"
        self._token = self._halves(self._piece(WORD))
        self._finish = self._halves(self._piece("", "length"))
        self._role = self._halves({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})

    def opening(self, number: int) -> bytes:
        """What comes before the first token: the role in a chat, nothing otherwise."""
        return self._fill(self._role, number) if self._is_chat else b""

    def token(self, number: int) -> bytes:
        """The chunk with a token, the same for all tokens of an answer."""
        return self._fill(self._token, number)

    def closing(self, number: int, usage: Usage | None) -> bytes:
        """What comes after the last token: the finish reason, the usage where it was asked for, and the end mark."""
        counted = b"" if usage is None else _chunk(self._document(number, [], usage=usage.document()))
        return self._fill(self._finish, number) + counted + DONE + END_OF_BODY

    def whole(self, number: int, usage: Usage) -> bytes:
        """An answer that is not streamed."""
        text = WORD * usage.completion
        choice: dict[str, object] = {"index": 0, "finish_reason": "length"}
        choice |= {"message": {"role": "assistant", "content": text}} if self._is_chat else {"text": text}
        document = self._document(number, [choice], usage=usage.document())
        document["object"] = self._kind
        return format_response(200, msgspec.json.encode(document))

    def _piece(self, text: str, finish_reason: str | None = None) -> dict[str, object]:
        if self._is_chat:
            return {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish_reason}
        return {"index": 0, "text": text, "finish_reason": finish_reason}

    def _document(self, number: int, choices: list[Any], **more: object) -> dict[str, object]:
        return {
            "id": f"{'chatcmpl' if self._is_chat else 'cmpl'}-{number:0{_DIGITS}d}",
            "object": "chat.completion.chunk" if self._is_chat else self._kind,
            "created": _CREATED,
            "model": self._model,
            "choices": choices,
            **more,
        }

    def _halves(self, choice: dict[str, object]) -> tuple[bytes, bytes]:
        """A chunk before and after the number of its answer, which always has the same length."""
        before, _, after = _chunk(self._document(0, [choice])).partition(b"0" * _DIGITS)
        return before, after

    def _fill(self, halves: tuple[bytes, bytes], number: int) -> bytes:
        return b"%b%0*d%b" % (halves[0], _DIGITS, number, halves[1])


def embeddings(model: str, dimensions: int, inputs: int, tokens: int, *, is_base64: bool) -> bytes:
    """The answer of `/v1/embeddings`: for each input the same unit vector, as numbers or as base64 of its FP32."""
    vector = np.full(dimensions, dimensions**-0.5, "<f4")
    value = base64.b64encode(vector.tobytes()).decode() if is_base64 else vector.tolist()
    data = [{"object": "embedding", "index": index, "embedding": value} for index in range(inputs)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    document = {"object": "list", "data": data, "model": model, "usage": usage}
    return format_response(200, msgspec.json.encode(document))


def models(model: str) -> bytes:
    """The answer of `/v1/models`."""
    entry = {"id": model, "object": "model", "created": _CREATED, "owned_by": "modeldyno"}
    return format_response(200, msgspec.json.encode({"object": "list", "data": [entry]}))


def refusal(status: int, message: str, kind: str = "invalid_request_error") -> bytes:
    """An error as OpenAI writes it."""
    error = {"message": message, "type": kind, "param": None, "code": None}
    return format_response(status, msgspec.json.encode({"error": error}))


def _chunk(document: dict[str, object]) -> bytes:
    event = b"data: %b\n\n" % msgspec.json.encode(document)
    return b"%x\r\n%b\r\n" % (len(event), event)
