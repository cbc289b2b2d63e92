import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

INFER = {"id": "7", "inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 4], "data": [0.0] * 8}]}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def connect(url: str, timeout_s: float = 30) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)


def ask(connection: http.client.HTTPConnection, path: str, document: Any, method: str = "POST") -> Reply:
    connection.request(method, path, json.dumps(document), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


@pytest.fixture
def infer() -> Callable[..., list[Reply]]:
    """Send so many requests, one after the other on each of some connections."""

    def on_one(url: str, count: int, document: Any) -> list[Reply]:
        connection = connect(url)
        try:
            return [ask(connection, "/v2/models/known/infer", document) for _ in range(count)]
        finally:
            connection.close()

    def send(url: str, count: int, *, connections: int = 1, document: Any = INFER) -> list[Reply]:
        with ThreadPoolExecutor(connections) as threads:
            shares = [threads.submit(on_one, url, count // connections, document) for _ in range(connections)]
            return [reply for share in shares for reply in share.result()]

    return send
