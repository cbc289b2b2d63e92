"""`seal`: a bundle signed, encrypted, or both."""

from os import PathLike
from pathlib import Path

from modeldyno.deployment.bundle import PIPELINE
from modeldyno.deployment.pipeline_bundle import sign_pipeline
from modeldyno.deployment.sealing import seal_bundle
from modeldyno.errors import UsageError
from modeldyno.records.bundle import Bundle
from modeldyno.records.pipeline import Pipeline
from modeldyno.secret import Secret


def seal(
    bundle: str | PathLike[str],
    *,
    out: str | PathLike[str],
    signing_key: str | PathLike[str] | None = None,
    bundle_key: Secret | None = None,
    force: bool = False,
) -> Bundle | Pipeline:
    """Copy a bundle, signed so that a server can tell its author, or encrypted so that only a server can read it.

    Args:
        bundle: directory written by `tune` or `combine`; the latter can be signed only.
        out: where the copy goes.
        signing_key: PEM file with an Ed25519 private key.
        bundle_key: 256 bits; the artifact and the samples are encrypted with keys derived from it.
        force: replace a bundle that is there.

    Returns:
        The copy's manifest.

    Raises:
        UsageError: neither key is given, or the library is not installed.
        InputError: the bundle is not sound, or a key cannot be read.
        OutputError: the copy cannot be written.
    """
    if signing_key is None and bundle_key is None:
        raise UsageError("there is nothing to seal with", hint="--sign KEY.pem, --bundle-key FILE, or both")
    if Path(out).resolve() == Path(bundle).resolve():
        raise UsageError(f"{out} is the bundle itself", why="sealing makes a copy", hint="choose another --out")
    if (Path(bundle) / PIPELINE).is_file():
        if bundle_key is not None or signing_key is None:
            raise UsageError(
                f"{bundle} is a pipeline, which cannot be encrypted as a whole",
                hint="sign it only: --sign KEY.pem, without --bundle-key and DYNO_BUNDLE_KEY",
            )
        return sign_pipeline(Path(bundle), Path(out), signing_key=Path(signing_key), force=force)
    return seal_bundle(
        Path(bundle),
        Path(out),
        signing_key=None if signing_key is None else Path(signing_key),
        bundle_key=bundle_key,
        force=force,
    )
