"""A server in a process of its own, which says its URL on the first line of its output."""

import http.client
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from modeldyno.errors import ToolError


@contextmanager
def started_process(module: str, arguments: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Run `python -m module arguments`; gives the URL and the process id, and ends it with the context.

    Raises:
        ToolError: it ended without saying its URL.
    """
    process = subprocess.Popen([sys.executable, "-P", "-m", module, *arguments], stdout=subprocess.PIPE)
    try:
        if process.stdout is None:
            raise AssertionError("stdout was asked for")
        url = process.stdout.readline().decode().strip()
        if not url:
            raise ToolError(f"{module} did not start", why=f"it ended with the exit code {process.wait()}")
        yield url, process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def fetch(url: str, path: str, *, method: str = "GET", timeout_s: float = 30.0) -> bytes:
    """The body of an answer of the server at `url`.

    Raises:
        ToolError: it answers with another status than 200.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise ToolError(f"{url}{path} answered with status {answer.status}")
    return content
