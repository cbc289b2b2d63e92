"""Certificates and keys in PEM files, into the contexts of TLS connections."""

import ssl
from collections.abc import Callable
from pathlib import Path

from modeldyno.errors import InputError


def load_authorities(context: ssl.SSLContext, path: str) -> None:
    """Trust the authorities in the file `path`.

    Raises:
        InputError: it is missing or holds no certificate.
    """
    _load(path, "certificate authorities", lambda: context.load_verify_locations(cafile=path))


def load_chain(context: ssl.SSLContext, path: str, key: str, *, what: str, encrypted: InputError) -> None:
    """Show the certificate in the file `path`.

    Args:
        context: of the side whose certificate it is.
        path: of the certificate, and perhaps its key.
        key: of the key; empty when it is in the same file.
        what: it should hold, for errors.
        encrypted: to raise where the key has a password: OpenSSL would ask on the terminal, where nobody may be, or
            many processes at once.

    Raises:
        InputError: a file is missing or holds something else, or the key is not that of the certificate.
    """

    def refuse() -> str:
        raise encrypted

    _load(path, what, lambda: context.load_cert_chain(path, key or None, password=refuse))


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
