"""How a server is let to answer us: headers that carry keys, and the certificates of encryption."""

import ssl
from dataclasses import dataclass, field

import msgspec

from modeldyno.errors import InputError
from modeldyno.pem import load_authorities, load_chain


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
        load_authorities(context, encryption.authorities)
    if encryption.certificate:
        encrypted = InputError(
            "the key is encrypted", hint="decrypt it to a file only you can read: openssl pkey -in KEY -out NEW"
        )
        what = "a client certificate and its key"
        load_chain(context, encryption.certificate, encryption.key, what=what, encrypted=encrypted)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
