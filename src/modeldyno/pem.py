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

    def load() -> None:
        try:
            context.load_cert_chain(path, key or None, password=refuse)
        except ssl.SSLError as problem:
            if problem.reason != "KEY_VALUES_MISMATCH":
                raise
            raise InputError(
                f"the key in {key or path} is not that of the certificate in {path}",
                why="they were not made for each other",
                hint="name the key that the certificate was made for",
            ) from problem

    if key:
        _check_there(key, "the key of the certificate")
    _load(path, what, load)


def _load(path: str, what: str, load: Callable[[], None]) -> None:
    _check_there(path, what)
    try:
        load()
    except ssl.SSLError as problem:
        raise InputError(
            f"{path} does not hold {what}",
            # OpenSSL has no reason where what it looked for is not there at all.
            why=problem.reason or "there is none in it that can be read",
            hint="PEM files are expected: -----BEGIN CERTIFICATE-----, and -----BEGIN PRIVATE KEY----- in it or in a "
            "file of its own, which is named too",
        ) from problem
    except OSError as problem:
        raise InputError(
            f"cannot read {path}", why=problem.strerror or str(problem), hint="check who may read it"
        ) from problem


def _check_there(path: str, what: str) -> None:
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}", why=f"it should hold {what}", hint="check the path")
