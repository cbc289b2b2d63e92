"""How a server is let to answer us: headers that carry keys, and the certificates of encryption."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modeldyno.errors import InputError


class Encryption(msgspec.Struct, frozen=True, kw_only=True):
    """What a TLS connection needs; file names, so that a sending process can be told."""

    host_name: str
    """That the server's certificate must be for."""
    authorities: str = ""
    """PEM file with the certificates to trust; empty for those of the system."""
    certificate: str = ""
    """PEM file with the client's own certificate, and perhaps its key."""
    key: str = ""
    """PEM file with the key of `certificate`, when it is not in the same file."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """What the user gave to be let in. Values of headers never show themselves."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent with every request, such as `Authorization`."""
    authorities: str = ""
    certificate: str = ""
    key: str = ""

    def encryption(self, host_name: str) -> Encryption:
        """For connections to a host."""
        return Encryption(host_name=host_name, authorities=self.authorities, certificate=self.certificate, key=self.key)


def tls_context(encryption: Encryption, *, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A client context that checks the server's certificate and name, TLS 1.2 or newer.

    Args:
        encryption: the files.
        protocols: to offer by ALPN (RFC 7301), such as `h2`.

    Raises:
        InputError: a file is missing or holds no certificate or key.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if encryption.authorities:
        # Alone, and not beside those of the system: who names an authority trusts that one.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(encryption.authorities, "certificate authorities", lambda: _trust(context, encryption.authorities))
    if encryption.certificate:
        key = encryption.key or None
        _load(
            encryption.certificate,
            "a client certificate and its key",
            lambda: context.load_cert_chain(encryption.certificate, key, password=_no_password),
        )
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    context.load_verify_locations(cafile=path)


def _no_password() -> str:
    # Without this OpenSSL asks on the terminal, in every sending process at once.
    raise InputError(
        "the key is encrypted", hint="decrypt it to a file only you can read: openssl pkey -in KEY -out NEW"
    )


def _load(path: str, what: str, load: Callable[[], None]) -> None:
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}", why=f"it should hold {what}")
    try:
        load()
    except ssl.SSLError as problem:
        raise InputError(
            f"{path} does not hold {what}",
            why=problem.reason or str(problem),
            hint="PEM files are expected: -----BEGIN CERTIFICATE-----",
        ) from problem
    except OSError as problem:
        raise InputError(f"cannot read {path}", why=problem.strerror or str(problem)) from problem
