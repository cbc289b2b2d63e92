"""A bundle made safe to hand on: signed, encrypted, or both."""

from pathlib import Path

import msgspec

from modeldyno.deployment.bundle import (
    MANIFEST,
    SAMPLES,
    artifact_files,
    building,
    copy_file,
    digests_in,
    open_bundle,
)
from modeldyno.deployment.encryption import encrypt, new_encryption
from modeldyno.deployment.signing import SIGNATURE, read_private_key, sign_manifest
from modeldyno.records.bundle import Bundle
from modeldyno.records.files import write_record
from modeldyno.secret import Secret


def seal_bundle(
    source: Path, target: Path, *, signing_key: Path | None, bundle_key: Secret | None, force: bool = False
) -> Bundle:
    """Copy a bundle, encrypting what tells of the model and its data, and sign the copy.

    The artifact and the samples (rows of real data) are encrypted; the manifest and the datasheet stay readable.

    Raises:
        InputError: the source is no sound plain bundle, or the signing key cannot be read.
        OutputError: the target cannot be written.
    """
    private = None if signing_key is None else read_private_key(signing_key)
    bundle = open_bundle(source)
    with building(target, force=force) as place:
        hidden = (*artifact_files(bundle), SAMPLES) if bundle_key is not None else ()
        encryption = None if bundle_key is None else new_encryption(bundle_key, hidden)
        for name in bundle.files:
            if bundle_key is not None and encryption is not None and name in hidden:
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(encrypt((source / name).read_bytes(), encryption, bundle_key, name))
            else:
                copy_file(source / name, place / name)
        sealed = msgspec.structs.replace(bundle, encryption=encryption, files=digests_in(place))
        write_record(place / MANIFEST, sealed)
        if private is not None:
            write_record(place / SIGNATURE, sign_manifest((place / MANIFEST).read_bytes(), private))
    return sealed
