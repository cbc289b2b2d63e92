"""The commands as a user types them, and what they must never say."""

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from modeldyno.api.auditing import verify_audit
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.clock import SystemClock
from modeldyno.testing.bundles import write_echo_bundle

BUNDLE_KEY = "5ec2e7" * 10 + "abcd"
BODY = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [3.25, 4.5]}]}).encode()


def dyno(*words: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modeldyno", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)


def ask(url: str, path: str, key: str, context: ssl.SSLContext | None, body: bytes | None = BODY) -> tuple[int, bytes]:
    request = urllib.request.Request(url + path, body, {"Authorization": f"Bearer {key}"})  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read()


def write_author(private: Path, public: Path) -> None:
    made = Ed25519PrivateKey.generate()
    private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_echo_bundle(tmp_path_factory.mktemp("plain") / "echo.bundle")


def test_a_sealed_bundle_behind_tls_and_keys_with_an_audit_log_says_no_secret(plain: Path, tmp_path: Path) -> None:
    author, public, key_file = tmp_path / "author.pem", tmp_path / "public.pem", tmp_path / "bundle.key"
    write_author(author, public)
    key_file.write_text(BUNDLE_KEY + "\n")
    sealed = tmp_path / "sealed.bundle"
    sealing = dyno("seal", plain, "--out", sealed, "--sign", author, "--bundle-key", key_file)
    assert (0, True) == (sealing.returncode, "signed and encrypted" in sealing.stdout)

    created = json.loads(dyno("keys", "create", tmp_path / "keys.db", "--name", "ci", "--json").stdout)
    secret = created["secret"]
    ca = trustme.CA()
    server_pem, ca_pem = tmp_path / "server.pem", tmp_path / "ca.pem"
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(server_pem))
    ca.cert_pem.write_to_path(str(ca_pem))
    context = ssl.create_default_context(cafile=str(ca_pem))
    audit, log = tmp_path / "audit.jsonl", tmp_path / "server.log"
    words = ["serve", sealed, "--port", "0", "--json", "--trusted-key", public, "--bundle-key", key_file,
             "--keys", tmp_path / "keys.db", "--tls-cert", server_pem, "--audit", audit]  # fmt: skip
    with ServerProcess("modeldyno", [str(word) for word in words], log=log, clock=SystemClock()) as server:
        url = json.loads(server.first_line)["url"]
        assert url.startswith("https://")
        status, body = ask(url, "/v2/models/echo/infer", secret, context)
        assert (200, [3.25, 4.5]) == (status, json.loads(body)["outputs"][0]["data"])
        answers = [
            ask(url, "/v2/models/echo/infer", secret, context, b'{"inputs": ' + secret.encode()),
            ask(url, "/v2/models/echo/infer", secret[:-1], context),
            ask(url, "/nowhere", secret, context),
            ask(url, "/v2/models/other/infer", secret, context),
        ]
        assert [400, 401, 403, 404] == [status for status, _ in answers]
    assert verify_audit([audit]).requests == 5
    assert dyno("audit", "verify", audit).returncode == 0
    listed = dyno("keys", "list", tmp_path / "keys.db").stdout
    said = [log.read_bytes(), audit.read_bytes(), listed.encode(), sealing.stdout.encode(), sealing.stderr.encode()]
    said += [body for _, body in answers[1:]]
    half = secret.rsplit("_", 1)[1][:20].encode()
    for text in (half, BUNDLE_KEY[:20].encode(), b"PRIVATE KEY", b"3.25"):
        assert not any(text in one for one in said), text


def test_serve_refuses_what_is_not_signed_or_not_its_key(plain: Path, tmp_path: Path) -> None:
    public = tmp_path / "public.pem"
    author = tmp_path / "author.pem"
    write_author(author, public)
    refused = dyno("serve", plain, "--port", "0", "--trusted-key", public)
    assert (2, True) == (refused.returncode, "is not signed" in refused.stderr)
    (tmp_path / "key").write_text("not a key")
    refused = dyno("serve", plain, "--port", "0", "--bundle-key", tmp_path / "key")
    assert 2 == refused.returncode
    assert "not a key" not in refused.stderr
    refused = dyno("serve", plain, "--port", "0", "--tls-key", author)
    assert (2, True) == (refused.returncode, "--tls-cert" in refused.stderr)
    refused = dyno("serve", plain, "--port", "0", "--keys", tmp_path / "keys.db")
    assert (2, True) == (refused.returncode, "dyno keys create" in refused.stderr)


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys.db"
    made = dyno(
        "keys", "create", file, "--name", "ci", "--allow", "digits:infer", "--rows-per-s", "5", "--expires", "1d"
    )
    secret = made.stdout.splitlines()[0]
    number = secret.split("_")[1]
    listed = dyno("keys", "list", file).stdout
    assert number in listed
    assert "digits:infer" in listed
    assert secret not in listed
    assert 0 == dyno("keys", "revoke", file, number).returncode
    assert "revoked" in dyno("keys", "list", file).stdout
    for words in (("create", file), ("revoke", file), ("revoke", file, "x"), ("list", tmp_path / "absent")):
        refused = dyno("keys", *words)
        assert 2 == refused.returncode
        assert "next" in refused.stderr


def test_a_changed_audit_log_is_exit_code_3(plain: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    words = ["serve", str(plain), "--port", "0", "--json", "--audit", str(audit)]
    with ServerProcess("modeldyno", words, log=tmp_path / "log", clock=SystemClock()) as server:
        url = json.loads(server.first_line)["url"]
        assert {200} == {ask(url, "/v2/models/echo/infer", "", None)[0] for _ in range(3)}
    audit.write_bytes(audit.read_bytes().replace(b'"status":200', b'"status":500', 1))
    checked = dyno("audit", "verify", audit)
    assert (3, "fail") == (checked.returncode, checked.stdout[:4])
    assert "was changed, or lines between them are missing" in checked.stdout
