"""One look at a page of a server beside the load: blocking and small, with the load's own keys and certificates."""

import http.client
import ssl
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from modeldyno.errors import UsageError
from modeldyno.loadgen.access import Access, tls_context
from modeldyno.loadgen.transports.http1 import check_header

_TIMEOUT_S = 2.0
_MOST_BYTES = 16 * 1024 * 1024


class Page(NamedTuple):
    """What came back."""

    status: int
    content: bytes
    """Its first 16 MiB."""


def look_at(url: str, access: Access | None = None, *, accept: str = "*/*") -> Page:
    """GET `url`, query included.

    Args:
        url: http or https.
        access: headers to send, certificates to trust and to show.
        accept: the form that is wanted.

    Raises:
        OSError: no connection, or no answer in two seconds.
        http.client.HTTPException: the answer is not HTTP.
        UsageError: the URL is of another kind, or a header is none.
    """
    access = access or Access()
    parts = _parts_of(url)
    for name, value in access.headers:
        check_header(name, value)
    connection = _connection_to(parts, access)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", path, headers={"Accept": accept, **dict(access.headers)})
        answer = connection.getresponse()
        return Page(answer.status, answer.read(_MOST_BYTES))
    finally:
        connection.close()


def reason_of(problem: Exception) -> str:
    """Why there was no answer, in a few words."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {problem.verify_message}"
    return (getattr(problem, "strerror", None) or str(problem) or type(problem).__name__).lower()


def _connection_to(parts: SplitResult, access: Access) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port or 80, timeout=_TIMEOUT_S)
    context = tls_context(access.encryption(host))
    return http.client.HTTPSConnection(host, parts.port or 443, timeout=_TIMEOUT_S, context=context)


def _parts_of(url: str) -> SplitResult:
    hint = "for example http://127.0.0.1:8000/metrics"
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, for it may be none
    except ValueError as problem:
        raise UsageError(f"{url!r} is not a URL", why=str(problem), hint=hint) from problem
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is not an http:// or https:// URL", hint=hint)
    unfit = next((sign for sign in parts.path + parts.query if not "!" <= sign <= "~"), "")
    if unfit:
        raise UsageError(
            f"{url!r} cannot be asked for as it is", why=f"it holds {unfit!r}", hint="percent-encode it: a blank is %20"
        )
    return parts
