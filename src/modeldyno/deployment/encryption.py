"""Files of a bundle as only the holders of a key can read them: AES-256-GCM, one derived key a file."""

import os
import re

from modeldyno.deployment.cryptography_extra import require_cryptography
from modeldyno.errors import InputError, UsageError
from modeldyno.records.bundle import Encryption
from modeldyno.secret import Secret

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_LARGEST_BYTES = 2**31 - 1


def parse_bundle_key(text: str, *, source: str) -> Secret:
    """The key in a file or a variable: 64 hexadecimal digits, as `openssl rand -hex 32` writes them.

    Raises:
        UsageError: it is something else; the text is not shown.
    """
    digits = text.strip()
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        raise UsageError(
            f"{source} holds no key of a bundle", why="a key is 64 hexadecimal digits", hint="openssl rand -hex 32"
        )
    return Secret(bytes.fromhex(digits))


def new_encryption(key: Secret, files: tuple[str, ...]) -> Encryption:
    """For a bundle that is being sealed."""
    salt = os.urandom(KEY_BYTES)
    return Encryption(salt=salt.hex(), key_check=_derive(key, salt, "check")[:8].hex(), files=files)


def check_key(encryption: Encryption, key: Secret | None, *, source: str) -> Secret:
    """The key, when it is the right one.

    Raises:
        InputError: there is none, or it is another bundle's.
    """
    if key is None:
        raise InputError(
            f"{source} is encrypted, and there is no key",
            hint="--bundle-key FILE, or the variable DYNO_BUNDLE_KEY",
        )
    if _derive(key, bytes.fromhex(encryption.salt), "check")[:8].hex() != encryption.key_check:
        raise InputError(
            f"{source} is encrypted with another key", hint="the key it was sealed with: dyno seal --bundle-key FILE"
        )
    return key


def encrypt(content: bytes, encryption: Encryption, key: Secret, name: str) -> bytes:
    """The file `name` as it is stored.

    Raises:
        UsageError: it is larger than 2 GiB, the most that is encrypted in one piece.
    """
    require_cryptography("encrypting a bundle")
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(content) > _LARGEST_BYTES - _TAG_BYTES:
        raise UsageError(f"{name} is too large to be encrypted", why=f"the most is {_LARGEST_BYTES} bytes")
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_file_key(encryption, key, name)).encrypt(nonce, content, name.encode())


def decrypt(stored: bytes, encryption: Encryption, key: Secret, name: str) -> bytes:
    """The inverse of `encrypt`.

    Raises:
        InputError: the file is damaged, or is another's.
    """
    require_cryptography("decrypting a bundle")
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(stored) < _NONCE_BYTES + _TAG_BYTES:
        raise InputError(f"{name} is cut short, and cannot be decrypted", hint="copy the whole bundle again")
    nonce, text = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
    try:
        return AESGCM(_file_key(encryption, key, name)).decrypt(nonce, text, name.encode())
    except InvalidTag as problem:
        raise InputError(
            f"{name} cannot be decrypted", why="it was changed since it was sealed", hint="copy the whole bundle again"
        ) from problem


def _file_key(encryption: Encryption, key: Secret, name: str) -> bytes:
    return _derive(key, bytes.fromhex(encryption.salt), f"file {name}")


def _derive(key: Secret, salt: bytes, purpose: str) -> bytes:
    require_cryptography("an encrypted bundle")
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"modeldyno.bundle/1 {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(key.reveal())
