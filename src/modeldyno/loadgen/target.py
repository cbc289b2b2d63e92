"""Where the load goes: a URL, and the address behind it that takes connections."""

import re
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access, tls_context
from modeldyno.units import format_duration

_PORTS = {"http": 80, "https": 443, "grpc": 8001, "grpcs": 443}
"""8001 is where Triton speaks gRPC; the specification names none."""
_REFUSAL_WITHIN_S = 0.25
"""Waited once before a load for a refusal of the client's certificate, or the lack of one."""
_ENCRYPTED = frozenset({"https", "grpcs"})


class Target(NamedTuple):
    """A server."""

    url: str
    scheme: str
    """`http`, `https`, `grpc` or `grpcs`."""
    host: str
    port: int
    base_path: str
    """What the URL has before the request's own path, without a slash at the end."""

    @property
    def host_header(self) -> str:
        """The `Host` header: with brackets around an IPv6 address, with the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_encrypted(self) -> bool:
        """Whether connections speak TLS."""
        return self.scheme in _ENCRYPTED


_OTHER_NAME = "use the name or the address that the certificate was made for"
_OTHER_TIME = "have the certificate of the server renewed, or set the date of this machine right"
_TRUST_HINTS = {9: _OTHER_TIME, 10: _OTHER_TIME, 62: _OTHER_NAME, 64: _OTHER_NAME}
"""What to do by X509_V_ERR_ of OpenSSL: not yet valid, expired, for another host name, for another address."""


def parse_target(url: str) -> Target:
    """`http://host[:port][/base]` to its parts; also `https`, `grpc` and `grpcs`.

    Raises:
        UsageError: another scheme, no host, a port that is none, a user name, a query.
    """
    shown = repr(re.sub(r"//[^/]*@", "//***@", url))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        raise UsageError(f"{shown} is not a URL", why=str(problem), hint="for example http://127.0.0.1:8000") from None
    if parts.scheme not in _PORTS or not host or port == 0:
        raise UsageError(
            f"{shown} is not a URL of a server", hint="for example http://127.0.0.1:8000, or grpc://127.0.0.1:8001"
        )
    unfit = next((sign for sign in host + parts.path if not sign.isprintable() or sign.isspace()), "")
    if unfit or not parts.path.isascii():
        raise UsageError(
            f"{shown} cannot be sent as it is",
            why="it holds a blank, or a letter beyond ASCII in its path",
            hint="write it as %20",
        )
    if parts.username is not None:
        raise UsageError(
            f"{shown} holds a user's credentials",
            why="a URL is kept in the record of a run and shown in its report",
            hint="give them as a header: --header 'Authorization: Basic ...'",
        )
    if parts.query or parts.fragment:
        raise UsageError(
            f"{shown} has more than a host, a port and a path",
            hint="leave out what follows ? or #; a query goes into a request file: --protocol http --request",
        )
    return Target(url, parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def find_address(target: Target, timeout_s: float, access: Access | None = None) -> tuple[str, int]:
    """Connect once, with encryption if there is to be any, so that what fails is an error before anything is recorded.

    All connections then go to the same address: a name with several would split the load in a way nobody asked for.

    Raises:
        TargetError: names the URL and the reason; of a certificate that is not trusted, which one and why.
    """
    try:
        with socket.create_connection((target.host, target.port), timeout_s) as connection:
            address = connection.getpeername()
            if target.is_encrypted:
                _shake_hands(connection, target, access or Access())
    except OSError as problem:
        raise unreachable(target, _reason(target, problem, timeout_s)) from problem
    except UnicodeError as problem:
        raise UsageError(f"{target.host!r} is not a host name", why=str(problem)) from problem
    return str(address[0]), int(address[1])


def unreachable(target: Target, reason: str) -> TargetError:
    """The error to raise when no connection can be made."""
    return TargetError(
        f"cannot reach {target.url}", why=reason, hint="check that the server runs and that host and port are right"
    )


def _shake_hands(connection: socket.socket, target: Target, access: Access) -> None:
    # A gRPC server hangs up on who does not offer HTTP/2.
    context = tls_context(access.encryption(target.host), protocols=("h2",) if target.scheme == "grpcs" else ())
    try:
        with context.wrap_socket(connection, server_hostname=target.host) as secured:
            # TLS 1.3 answers a client certificate only after the handshake: a refusal is the first thing to be read.
            secured.settimeout(_REFUSAL_WITHIN_S)
            try:
                is_open = bool(secured.recv(1))
            except TimeoutError:
                is_open = True
    except ssl.SSLCertVerificationError as problem:
        raise TargetError(
            f"the certificate of {target.url} is not trusted",
            why=f"{problem.verify_message} (certificate: {_describe_certificate(target)})",
            hint=_TRUST_HINTS.get(problem.verify_code, "name the authority that signed it: --ca FILE.pem"),
        ) from problem
    except ssl.SSLError as problem:
        raise TargetError(
            f"no encrypted connection to {target.url}", why=_tls_reason(problem), hint=_tls_hint(problem)
        ) from problem
    except ConnectionResetError:
        is_open = False
    if not is_open:
        raise TargetError(
            f"{target.url} ended the connection right after the TLS handshake",
            hint="it may want a client certificate: --cert FILE.pem --key FILE.pem",
        )


def _tls_reason(problem: ssl.SSLError) -> str:
    return (problem.reason or str(problem)).replace("_", " ").lower()


def _tls_hint(problem: ssl.SSLError) -> str:
    reason = problem.reason or ""
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason or "BAD_CERTIFICATE" in reason:
        return "the server wants a client certificate that it trusts: --cert FILE.pem --key FILE.pem"
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return "the port seems to speak without encryption: try http:// or grpc://"
    return "check the server's TLS settings; TLS 1.2 or newer is needed"


def _describe_certificate(target: Target) -> str:
    """Subject, issuer and dates of what the server shows, as far as it can be read without trusting it."""
    try:
        pem = ssl.get_server_certificate((target.host, target.port), timeout=2.0)
        digest = _fingerprint(pem)
    except (OSError, ValueError):
        return "it could not be read"
    return f"SHA-256 {digest}, shown by {target.host}:{target.port}"


def _fingerprint(pem: str) -> str:
    from hashlib import sha256

    return sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()[:32]


def _reason(target: Target, problem: OSError, timeout_s: float) -> str:
    if isinstance(problem, socket.gaierror):
        return f"the host name {target.host!r} cannot be resolved: {problem.strerror}"
    if isinstance(problem, TimeoutError):
        return f"no connection within {format_duration(timeout_s * 1e9)}"
    return (problem.strerror or str(problem)).lower()
