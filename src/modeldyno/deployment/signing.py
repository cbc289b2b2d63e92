"""Whether a bundle is from whom it should be: Ed25519 over its manifest (RFC 8032)."""

from pathlib import Path
from typing import TYPE_CHECKING

from modeldyno.deployment.bundle import Vouch
from modeldyno.deployment.cryptography_extra import require_cryptography
from modeldyno.errors import InputError, TrustError
from modeldyno.records.bundle import BundleSignature
from modeldyno.records.files import read_file, read_record

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "bundle.sig"
_PURPOSE = b"modeldyno.bundle/1 manifest\n"
"""So that a signature made for something else is never one of a bundle."""


def sign_manifest(manifest: bytes, key: "Ed25519PrivateKey") -> BundleSignature:
    """Vouch for a manifest, and by its digests for every file of the bundle."""
    return BundleSignature(
        public_key=key.public_key().public_bytes_raw().hex(), signature=key.sign(_PURPOSE + manifest).hex()
    )


def vouch_of(path: Path) -> Vouch:
    """Lets in bundles that the holder of the private key to the public key at `path` has signed.

    Raises:
        InputError: there is no such key.
    """
    key = read_public_key(path)

    def vouch(directory: Path, manifest: bytes) -> None:
        if not (directory / SIGNATURE).is_file():
            raise TrustError(
                f"{directory} is not signed",
                why=f"only bundles signed for {path} are served",
                hint=f"its author signs it with: dyno seal {directory} --sign KEY.pem --out OUT",
            )
        _verify(directory, manifest, key)

    return vouch


def _verify(directory: Path, manifest: bytes, key: "Ed25519PublicKey") -> None:
    from cryptography.exceptions import InvalidSignature

    signed = read_record(directory / SIGNATURE, BundleSignature)
    try:
        key.verify(bytes.fromhex(signed.signature), _PURPOSE + manifest)
    except (InvalidSignature, ValueError) as problem:
        is_ours = signed.public_key == key.public_bytes_raw().hex()
        raise TrustError(
            f"the signature of {directory} is not good",
            why="the bundle was changed after it was signed" if is_ours else f"it is signed by {signed.public_key}",
            hint="get the bundle from its author again, or trust another key: --trusted-key PUBLIC.pem",
        ) from problem


def read_private_key(path: Path) -> "Ed25519PrivateKey":
    """The key to sign with, from a PEM file (`openssl genpkey -algorithm ed25519`).

    Raises:
        InputError: there is none, it is encrypted, or it is of another kind.
    """
    require_cryptography("signing a bundle")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(read_file(path), password=None)
    except (ValueError, TypeError) as problem:  # TypeError: it is encrypted
        raise _not_a_key(path, "private") from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_a_key(path, "private")
    return key


def read_public_key(path: Path) -> "Ed25519PublicKey":
    """The key to trust, from a PEM file (`openssl pkey -in KEY.pem -pubout`).

    Raises:
        InputError: there is none, or it is of another kind.
    """
    require_cryptography("checking a signature")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(read_file(path))
    except ValueError as problem:
        raise _not_a_key(path, "public") from problem
    if not isinstance(key, Ed25519PublicKey):
        raise _not_a_key(path, "public")
    return key


def _not_a_key(path: Path, kind: str) -> InputError:
    make = "openssl genpkey -algorithm ed25519 -out KEY.pem"
    return InputError(
        f"{path} holds no readable {kind} key for signatures",
        why="an Ed25519 key in a PEM file without a password is expected",
        hint=make if kind == "private" else f"{make}; openssl pkey -in KEY.pem -pubout -out PUBLIC.pem",
    )
