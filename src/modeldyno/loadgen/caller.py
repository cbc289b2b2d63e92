"""Single calls to a server before a load: blocking, with the same keys and certificates as the load."""

import http.client
import json
from typing import Any, NamedTuple

from modeldyno.errors import TargetError
from modeldyno.loadgen.access import Access, tls_context
from modeldyno.loadgen.target import find_address, parse_target
from modeldyno.loadgen.transports.http1 import check_header

TIMEOUT_S = 5.0
_JSON = (("Content-Type", "application/json"), ("Accept", "application/json"))


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def document(self) -> Any:
        """The body as JSON; when it is none, `{"error": the text}`."""
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            return {"error": self.body[:200].decode("utf-8", "replace")}


class Caller:
    """Calls a server.

    Args:
        url: base URL, `http` or `https`.
        access: what lets us in.
        timeout_s: for each call.

    Raises:
        UsageError: not such a URL, or a header that is none.
    """

    def __init__(self, url: str, access: Access | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self._target = parse_target(url)
        self._access = access or Access()
        self._timeout_s = timeout_s
        for name, value in self._access.headers:
            check_header(name, value)

    def call(
        self, verb: str, path: str, body: bytes | None = None, headers: tuple[tuple[str, str], ...] = _JSON
    ) -> Reply:
        """One request on a connection of its own; `path` comes after that of the URL.

        Raises:
            TargetError: the server cannot be reached, is not trusted, or does not speak HTTP.
        """
        connection = self._connection()
        target = self._target
        try:
            connection.request(verb, target.base_path + path, body, {**dict(headers), **dict(self._access.headers)})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            if isinstance(problem, http.client.BadStatusLine) and not isinstance(problem, OSError):
                raise TargetError(
                    f"{self.url} does not speak HTTP/1.1",
                    why="it answers with something else",
                    hint="if it speaks gRPC there, write grpc://; see --protocol",
                ) from problem
            find_address(target, self._timeout_s, self._access)  # explains what is wrong, if it is the connection
            raise TargetError(
                f"cannot reach {self.url}",
                why=getattr(problem, "strerror", None) or str(problem) or type(problem).__name__,
                hint=f"does it speak HTTP/1.1 there? see --protocol{'' if target.is_encrypted else ', or write https://'}",
            ) from problem
        finally:
            connection.close()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._target.host, self._target.port
        if not self._target.is_encrypted:
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        context = tls_context(self._access.encryption(host))
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)
