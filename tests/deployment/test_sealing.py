import os
import pickle
import shutil
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.api.sealing import seal
from modeldyno.deployment.bundle import MANIFEST, SAMPLES, digests_in, open_bundle
from modeldyno.deployment.contents import Contents
from modeldyno.deployment.encryption import _file_key, decrypt, encrypt, new_encryption, parse_bundle_key
from modeldyno.deployment.signing import SIGNATURE, vouch_of
from modeldyno.errors import InputError, OutputError, TrustError, UsageError
from modeldyno.records.bundle import Bundle
from modeldyno.records.files import digest_bytes, read_record, write_record
from modeldyno.secret import Secret
from modeldyno.testing.bundles import write_echo_bundle

KEY, OTHER_KEY = Secret(bytes(range(32))), Secret(bytes(32))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_echo_bundle(tmp_path_factory.mktemp("plain") / "echo.bundle")


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with KEY.pem and PUBLIC.pem."""
    return new_author(tmp_path_factory.mktemp("author"))


def new_author(folder: Path) -> Path:
    private, public = folder / "KEY.pem", folder / "PUBLIC.pem"
    made = Ed25519PrivateKey.generate()
    private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return folder


@pytest.fixture
def sealed(plain: Path, author: Path, tmp_path: Path) -> Path:
    seal(plain, out=tmp_path / "sealed.bundle", signing_key=author / "KEY.pem", bundle_key=KEY)
    return tmp_path / "sealed.bundle"


def open_sealed(directory: Path, author: Path) -> Bundle:
    return open_bundle(directory, vouch=vouch_of(author / "PUBLIC.pem"), opens_encrypted=True)


def test_a_sealed_bundle_gives_back_what_was_sealed(plain: Path, sealed: Path, author: Path) -> None:
    bundle = open_sealed(sealed, author)
    with Contents(sealed, bundle, key=KEY) as contents, Contents(plain, open_bundle(plain)) as before:
        assert before.read("model.onnx") == contents.read("model.onnx")
        assert before.samples() == contents.samples()
        assert bundle.artifact.digest == digest_bytes(contents.read("model.onnx"))


def test_neither_the_model_nor_its_samples_are_readable_on_disk(plain: Path, sealed: Path) -> None:
    for name in ("model.onnx", SAMPLES):
        text = (plain / name).read_bytes()
        stored = (sealed / name).read_bytes()
        assert not any(text[place : place + 8] in stored for place in range(0, len(text) - 8, 8))


def test_what_is_decrypted_is_in_memory_only(sealed: Path, author: Path, plain: Path) -> None:
    model = (plain / "model.onnx").read_bytes()
    with Contents(sealed, open_sealed(sealed, author), key=KEY) as contents:
        path = contents.artifact()
        assert (".onnx", model) == (path.suffix, path.read_bytes())
        assert path.is_symlink()
        assert "memfd:model.onnx (deleted)" in str(path.readlink().readlink())
        with pytest.raises(PermissionError):
            os.write(os.open(path, os.O_WRONLY), b"x")
    assert not path.parent.exists()


def test_a_model_from_memory_answers(sealed: Path, author: Path) -> None:
    from modeldyno.api.served.sessions import open_sessions

    bundle = open_sealed(sealed, author)
    with Contents(sealed, bundle, key=KEY) as contents:
        for session in open_sessions(bundle, contents):
            session.close()


def test_a_plain_signed_bundle_is_used_from_memory_so_that_what_was_checked_is_loaded(
    plain: Path, author: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.bundle"
    seal(plain, out=copy, signing_key=author / "KEY.pem")
    bundle = open_sealed(copy, author)
    with Contents(copy, bundle, in_memory=True) as contents:
        path = contents.artifact()
        (copy / "model.onnx").write_bytes(b"another model")
        assert (plain / "model.onnx").read_bytes() == path.read_bytes()
        with pytest.raises(InputError, match="not the file that was bundled"):
            contents.artifact()


def test_an_unsigned_bundle_is_refused_when_a_key_is_trusted(plain: Path, author: Path) -> None:
    with pytest.raises(TrustError, match="is not signed"):
        open_sealed(plain, author)


@pytest.mark.parametrize("name", ("model.onnx", SAMPLES, MANIFEST, SIGNATURE))
def test_a_change_anywhere_in_a_signed_bundle_is_refused(sealed: Path, author: Path, name: str) -> None:
    content = bytearray((sealed / name).read_bytes())
    content[len(content) // 2] ^= 1
    (sealed / name).write_bytes(content)
    with pytest.raises((InputError, TrustError)):
        open_sealed(sealed, author)


def test_digests_made_anew_do_not_replace_a_signature(sealed: Path, author: Path) -> None:
    (sealed / "model.onnx").write_bytes(b"another model")
    digests = {name: digest for name, digest in digests_in(sealed).items() if name != SIGNATURE}
    forged = msgspec.structs.replace(read_record(sealed / MANIFEST, Bundle), files=digests, encryption=None)
    write_record(sealed / MANIFEST, forged)
    open_bundle(sealed)
    with pytest.raises(TrustError, match="signature") as caught:
        open_sealed(sealed, author)
    assert "changed after it was signed" in caught.value.why


def test_the_signature_of_another_author_is_refused(
    plain: Path, author: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = new_author(tmp_path_factory.mktemp("other"))
    seal(plain, out=tmp_path / "sealed.bundle", signing_key=other / "KEY.pem")
    with pytest.raises(TrustError, match="signature") as caught:
        open_sealed(tmp_path / "sealed.bundle", author)
    assert "signed by" in caught.value.why


def test_the_signature_of_another_bundle_is_refused(plain: Path, sealed: Path, author: Path, tmp_path: Path) -> None:
    seal(plain, out=tmp_path / "other.bundle", signing_key=author / "KEY.pem")
    shutil.copyfile(tmp_path / "other.bundle" / SIGNATURE, sealed / SIGNATURE)
    with pytest.raises(TrustError):
        open_sealed(sealed, author)


def test_without_the_right_key_an_encrypted_bundle_stays_closed(sealed: Path, author: Path) -> None:
    bundle = open_sealed(sealed, author)
    with pytest.raises(InputError, match="there is no key"):
        Contents(sealed, bundle)
    with pytest.raises(InputError, match="another key"):
        Contents(sealed, bundle, key=OTHER_KEY)
    with pytest.raises(InputError, match="is encrypted"):
        open_bundle(sealed)


def test_a_changed_ciphertext_is_refused_even_with_a_fresh_digest(sealed: Path) -> None:
    content = bytearray((sealed / "model.onnx").read_bytes())
    content[40] ^= 1
    (sealed / "model.onnx").write_bytes(content)
    bundle = msgspec.structs.replace(read_record(sealed / MANIFEST, Bundle), files=digests_in(sealed))
    with Contents(sealed, bundle, key=KEY) as contents, pytest.raises(InputError, match="cannot be decrypted"):
        contents.read("model.onnx")


@given(st.binary(max_size=500), st.binary(min_size=32, max_size=32))
def test_encryption_is_undone_by_the_same_key_and_name_only(content: bytes, key: bytes) -> None:
    secret = Secret(key)
    encryption = new_encryption(secret, ("a", "b"))
    stored = encrypt(content, encryption, secret, "a")
    assert content == decrypt(stored, encryption, secret, "a")
    assert stored != encrypt(content, encryption, secret, "a")
    for damaged, name in ((stored, "b"), (stored[:20], "a"), (stored[:-1], "a")):
        with pytest.raises(InputError):
            decrypt(damaged, encryption, secret, name)


def test_each_file_and_the_check_have_keys_of_their_own() -> None:
    encryption = new_encryption(KEY, ("a", "b"))
    keys = {_file_key(encryption, KEY, "a"), _file_key(encryption, KEY, "b"), KEY.reveal()}
    assert 3 == len(keys)
    assert not any(key.hex().startswith(encryption.key_check) for key in keys)


@pytest.mark.parametrize("text", ("", "ab", "g" * 64, "a" * 63, "a" * 65))
def test_what_is_no_key_is_not_shown(text: str) -> None:
    with pytest.raises(UsageError, match="holds no key") as caught:
        parse_bundle_key(text, source="the file")
    assert "openssl rand" in caught.value.hint
    assert not text or text not in caught.value.what + caught.value.why


@pytest.mark.parametrize("content", (b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
def test_what_is_no_signing_key_says_how_to_make_one(plain: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.pem").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pem holds no readable private key") as caught:
        seal(plain, out=tmp_path / "out", signing_key=tmp_path / "bad.pem")
    assert "openssl genpkey" in caught.value.hint
    with pytest.raises(InputError, match=r"bad\.pem holds no readable public key"):
        vouch_of(tmp_path / "bad.pem")


def test_sealing_needs_a_key_and_another_place(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to seal with"):
        seal(plain, out=tmp_path / "out")
    with pytest.raises(UsageError, match="the bundle itself"):
        seal(plain, out=plain, bundle_key=KEY)
    (tmp_path / "photos").mkdir()
    with pytest.raises(OutputError):
        seal(plain, out=tmp_path / "photos", bundle_key=KEY)
    assert ["photos"] == [entry.name for entry in tmp_path.iterdir()]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {Bomb.canary}",)

    canary = Path()


@pytest.mark.parametrize("name", ("model.skops", "model.pkl", "model.joblib"))
def test_nothing_from_a_bundle_is_executed(plain: Path, tmp_path: Path, name: str) -> None:
    from modeldyno.api.serving import serve

    Bomb.canary = tmp_path / "executed"
    copy = tmp_path / "evil.bundle"
    shutil.copytree(plain, copy)
    (copy / name).write_bytes(pickle.dumps(Bomb()))
    bundle = read_record(copy / MANIFEST, Bundle)
    evil = msgspec.structs.replace(
        bundle,
        files=digests_in(copy),
        deployment=msgspec.structs.replace(bundle.deployment, runtime="scikit-learn"),
        artifact=msgspec.structs.replace(bundle.artifact, path=name, format="sklearn"),
    )
    write_record(copy / MANIFEST, evil)
    with pytest.raises((TrustError, InputError)):
        serve(copy)
    assert not Bomb.canary.exists()
    pickle.loads((copy / name).read_bytes())  # noqa: S301 - our own: the bomb is a real one
    assert Bomb.canary.exists()
