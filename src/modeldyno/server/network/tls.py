"""Encryption of the listeners, from files that may be renewed while the server runs."""

import logging
import ssl

from modeldyno.errors import DynoError, InputError
from modeldyno.pem import load_authorities, load_chain
from modeldyno.records.server import TlsFiles

_LOG = logging.getLogger("modeldyno.server")
HTTP1 = ("http/1.1",)
HTTP2 = ("h2",)


def server_context(files: TlsFiles, *, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """A context for TLS 1.2 and newer; with authorities for clients, only clients with their certificates get in.

    Args:
        files: certificate, key and authorities.
        protocols: to accept by ALPN (RFC 7301): `HTTP1` or `HTTP2`.

    Raises:
        InputError: a file is missing, or holds something else, or the key is not that of the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(list(protocols))
    _load_chain(context, files)
    if files.client_authorities:
        context.verify_mode = ssl.CERT_REQUIRED
        load_authorities(context, files.client_authorities)
    return context


class Certificates:
    """The contexts of one server, whose certificate can be renewed.

    Raises:
        InputError: see `server_context`.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._contexts: list[ssl.SSLContext] = []
        self.context(HTTP1)

    def context(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
        """A context for one more listener.

        Raises:
            InputError: see `server_context`.
        """
        made = server_context(self._files, protocols=protocols)
        self._contexts.append(made)
        return made

    def renew(self) -> None:
        """Read certificate and key again, for the connections to come; when they are bad, keep those in use."""
        try:
            # First into a context of its own: a bad pair must not leave a good certificate with another's key.
            server_context(self._files, protocols=HTTP1)
        except DynoError as problem:
            _LOG.error("the certificate in use is kept: %s (%s)", problem.what, problem.why)
            return
        for context in self._contexts:
            _load_chain(context, self._files)
        _LOG.warning("the certificate in %s is used from now on", self._files.certificate)


def _load_chain(context: ssl.SSLContext, files: TlsFiles) -> None:
    encrypted = InputError(
        "the key of the certificate is encrypted",
        hint="decrypt it to a file that only the server can read: openssl pkey -in KEY -out NEW",
    )
    load_chain(context, files.certificate, files.key, what="a certificate and its key", encrypted=encrypted)
