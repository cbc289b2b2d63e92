"""A token streamer's side of the connections: reads requests, writes each token at its moment."""

import asyncio
from typing import cast

import httptools

from modeldyno.clock import Clock
from modeldyno.testing import token_chunks
from modeldyno.testing.alarms import Alarms
from modeldyno.testing.streaming import Streaming
from modeldyno.testing.token_chunks import END_OF_BODY, STREAM_HEAD, Dialect, Usage
from modeldyno.testing.token_requests import Completion, RefusedError, count_tokens, read_completion, read_embedding
from modeldyno.testing.token_truth import StreamFate, TokenAccount
from modeldyno.wire.http1_head import format_response

_CHAT, _PLAIN, _EMBEDDINGS = b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings"


class TokenService:
    """What all connections share.

    Args:
        streaming: when which tokens are written.
        clock: CLOCK_MONOTONIC.
    """

    def __init__(self, streaming: Streaming, clock: Clock) -> None:
        self.streaming = streaming
        self.now_ns = clock.now_ns
        self.alarms = Alarms(clock)
        self.account = TokenAccount()
        self.dialects = {path: Dialect(streaming.model, is_chat=path == _CHAT) for path in (_CHAT, _PLAIN)}
        self._asked = 0
        self._streams = 0

    def next_number(self) -> int:
        """The number of a request, from 1."""
        self._asked += 1
        return self._asked

    def next_fate(self) -> StreamFate:
        """How the next stream ends."""
        self._streams += 1
        streaming = self.streaming
        for every, fate in (
            (streaming.cut_every, StreamFate.CUT),
            (streaming.unfinished_every, StreamFate.UNFINISHED),
            (streaming.hang_every, StreamFate.HANGING),
        ):
            if every and self._streams % every == 0:
                return fate
        return StreamFate.FINISHED


class _Stream:
    """One streamed answer. Its tokens are due at absolute moments: a late one does not put off the next."""

    __slots__ = (
        "_arrived_ns", "_chunk", "_closing", "_connection", "_due_ns", "_fate", "_left", "_moments_ns", "_number",
        "_opening", "_service",
    )  # fmt: skip

    def __init__(self, connection: "TokenConnection", dialect: Dialect, asked: Completion, arrived_ns: int) -> None:
        self._connection = connection
        self._service = service = connection.service
        self._number = number = service.next_number()
        self._arrived_ns = arrived_ns
        self._due_ns = arrived_ns + service.streaming.first_token_ns
        self._fate = service.next_fate()
        tokens = asked.tokens(service.streaming.tokens)
        usage = Usage(asked.prompt_tokens(), tokens) if asked.wants_usage else None
        is_whole = self._fate == StreamFate.FINISHED
        self._left = tokens if is_whole else tokens // 2
        self._opening = STREAM_HEAD + dialect.opening(number)
        self._chunk = dialect.token(number)
        self._closing = dialect.closing(number, usage) if is_whole else b""
        self._moments_ns: list[int] = []

    def start(self) -> None:
        """Write what is to be written at once."""
        if self._service.streaming.role_first:
            self._connection.transport.write(self._opening)
            self._opening = b""
        self._service.alarms.set(self._due_ns, self._step)

    def leave(self) -> None:
        """The client is gone."""
        self._left = 0
        self._account(StreamFate.LEFT)

    def _step(self) -> None:
        connection = self._connection
        if connection.stream is not self:
            return
        content = self._chunk
        gap_ns = self._service.streaming.gap_ns
        due = 1 if gap_ns else self._left
        self._left -= due
        if due != 1:  # 0 in a stream of one token that is cut in half
            content *= due
        if self._opening:
            content = self._opening + content
            self._opening = b""
        if self._left <= 0:
            content += self._closing
        moment_ns = self._service.now_ns()
        self._moments_ns += [moment_ns] * due
        connection.transport.write(content)
        if self._left > 0:
            self._due_ns += gap_ns
            self._service.alarms.set(self._due_ns, self._step)
        else:
            self._end(moment_ns)

    def _end(self, moment_ns: int) -> None:
        connection = self._connection
        self._account(self._fate, moment_ns)
        if self._fate == StreamFate.HANGING:
            return
        if self._fate == StreamFate.UNFINISHED:
            connection.transport.write(END_OF_BODY)
        connection.stream = None
        if self._fate == StreamFate.CUT:
            connection.transport.close()
        connection.rest()

    def _account(self, fate: StreamFate, done_ns: int = -1) -> None:
        self._service.account.add(self._number, fate, self._arrived_ns, done_ns, self._moments_ns)
        self._moments_ns = []


class TokenConnection(asyncio.Protocol):
    """One connection; a client has one request at a time on its way on it."""

    def __init__(self, service: TokenService) -> None:
        self.service = service
        self.stream: _Stream | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports are none of asyncio's

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """See `asyncio.Protocol`."""
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.leave()
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self.stream is not None:
            self.transport.abort()  # a request while the answer to another is under way
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.write(token_chunks.refusal(400, "not a valid HTTP/1.1 request"))
            self.transport.close()

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._path = b""
        self._body = []

    def on_url(self, url: bytes) -> None:
        """Called by the parser; a long URL comes in parts."""
        self._path += url

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        arrived_ns = self.service.now_ns()
        self._keep_alive = self._parser.should_keep_alive()
        method, path = self._parser.get_method(), self._path.partition(b"?")[0]
        dialect = self.service.dialects.get(path)
        try:
            if method == b"POST" and dialect is not None:
                asked = read_completion(b"".join(self._body), self.service.streaming.model, is_chat=path == _CHAT)
                self._complete(dialect, asked, arrived_ns)
                return
            self.transport.write(self._embed() if path == _EMBEDDINGS else self._document(method, path))
        except RefusedError as problem:
            self.transport.write(token_chunks.refusal(404 if "does not exist" in str(problem) else 400, str(problem)))
        self.rest()

    def rest(self) -> None:
        """An answer is written: the connection waits for the next request, or is closed when the client asked so."""
        if not self._keep_alive:
            self.transport.close()

    def _complete(self, dialect: Dialect, asked: Completion, arrived_ns: int) -> None:
        if asked.stream:
            self.stream = _Stream(self, dialect, asked, arrived_ns)
            self.stream.start()
            return
        streaming = self.service.streaming
        tokens, number = asked.tokens(streaming.tokens), self.service.next_number()
        content = dialect.whole(number, Usage(asked.prompt_tokens(), tokens))
        due_ns = arrived_ns + streaming.first_token_ns + (tokens - 1) * streaming.gap_ns
        self.service.alarms.set(due_ns, lambda: self._write_whole(number, content, arrived_ns))

    def _write_whole(self, number: int, content: bytes, arrived_ns: int) -> None:
        has_left = self.transport.is_closing()
        fate, moment_ns = (StreamFate.LEFT, -1) if has_left else (StreamFate.FINISHED, self.service.now_ns())
        self.service.account.add(number, fate, arrived_ns, moment_ns, [])
        if not has_left:
            self.transport.write(content)
            self.rest()

    def _embed(self) -> bytes:
        streaming = self.service.streaming
        asked = read_embedding(b"".join(self._body), streaming.model)
        is_base64 = asked.encoding_format == "base64"
        tokens = count_tokens(asked.input)
        return token_chunks.embeddings(streaming.model, streaming.dimensions, asked.inputs, tokens, is_base64=is_base64)

    def _document(self, method: bytes, path: bytes) -> bytes:
        match method, path:
            case b"GET", b"/v1/models":
                return token_chunks.models(self.service.streaming.model)
            case b"GET", b"/health":
                return format_response(200, b"")
            case b"GET", b"/truth":
                return format_response(200, self.service.account.encode(), content_type=b"application/octet-stream")
            case b"DELETE", b"/truth":
                self.service.account.forget()
                return format_response(200, b"")
        return token_chunks.refusal(404, f"there is no {method.decode()} {path.decode('latin-1')}", "not_found_error")
