"""Small servers that answer as a function says, and one short load of them through the command line."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from modeldyno.cli.main import main


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    body: bytes
    status: int = 200


def json_reply(document: object, status: int = 200) -> Reply:
    return Reply(json.dumps(document).encode(), status)


def wrong_after(count: int, answer: Callable[[Request], Reply], wrong: Reply) -> Callable[[Request], Reply]:
    """As `answer` says, but `wrong` to every POST after so many."""
    posts = itertools.count()
    return lambda request: wrong if request.method == "POST" and next(posts) >= count else answer(request)


class Running:
    """A server that runs, and what it was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Request] = []

    @property
    def posts(self) -> list[Request]:
        return [one for one in self.seen if one.method == "POST"]


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[Running]:
    """HTTP/1.1 with keep-alive, a thread a connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            request = Request(
                self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body
            )
            running.seen.append(request)
            reply = answer(request)
            head = f"HTTP/1.1 {reply.status} x\r\nContent-Length: {len(reply.body)}\r\n\r\n"
            self.wfile.write(head.encode() + reply.body)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - names of http.server

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Running(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Loaded(NamedTuple):
    code: int
    run: dict[str, Any]
    """The record; empty when there is none."""
    said: str

    @property
    def failures(self) -> dict[str, int]:
        failures: dict[str, int] = self.run["summary"]["failures"]
        return failures

    @property
    def rightness(self) -> tuple[str, str] | None:
        """Verdict and evidence of the objective about wrong answers."""
        verdicts = {one["objective"]: one for one in self.run["verdict"]["objectives"]}
        found = verdicts.get("no wrong answer")
        return None if found is None else (found["verdict"], found["evidence"])


def load(url: str, out: Path, *options: str) -> Loaded:
    """`dyno load` with 60 requests."""
    plan = ("--rate", "200", "--arrivals", "constant", "--requests", "60", "--warmup", "0s", "--workers", "1")
    with redirect_stdout(StringIO()) as written, redirect_stderr(StringIO()) as said:
        code = main(["load", url, *plan, "--out", str(out), "--json", "--quiet", *options])
    text = written.getvalue()
    return Loaded(code, json.loads(text) if text else {}, said.getvalue())
