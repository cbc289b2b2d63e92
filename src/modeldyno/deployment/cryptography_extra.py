"""The library that signs and encrypts, which not every installation needs."""

from importlib.util import find_spec

from modeldyno.errors import UsageError


def require_cryptography(purpose: str) -> None:
    """Say how to install it when it is not here.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("cryptography") is None:
        raise UsageError(
            f"{purpose} needs the package cryptography, which is not installed",
            hint="pip install 'modeldyno[security]'",
        )
