"""Keys, limits, audit and the admin port over real connections."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.server.gate import Gate
from tests.server.shelf import Shelf

from modeldyno.api.auditing import verify_audit
from modeldyno.api.keys import create_key, revoke_key
from modeldyno.clock import SystemClock
from modeldyno.protocols import Tensors
from modeldyno.records.server import ProtectionSettings, ServerSettings
from modeldyno.server.exchange import Exchange
from modeldyno.server.protection.guard import GuardedRouter
from modeldyno.server.protection.protection import Protection
from modeldyno.server.serving import ServedModel
from modeldyno.server.tally import Tally
from modeldyno.testing.running_server import Client, HttpReply, RunningServer, infer_request, make_model
from modeldyno.testing.sessions import sum_rows
from modeldyno.wire.http1_request import HttpRequest

Guarded = Callable[..., RunningServer]
ROWS = [[1.0, 2.0, 3.0, 4.0]]
PATHS = (
    ("GET", "/v2"), ("GET", "/v2/models/sums"), ("GET", "/v2/models/sums/ready"), ("GET", "/v2/models/sums/stats"),
    ("GET", "/v2/models/stats"), ("POST", "/v2/repository/index"), ("POST", "/v2/models/sums/infer"),
    ("POST", "/v2/models/sums/versions/1/infer"), ("GET", "/metrics"), ("GET", "/anything"), ("OPTIONS", "/v2"),
    ("POST", "/v2/logging"), ("POST", "/v2/repository/models/sums/unload"), ("GET", "//v2/models/sums"),
    ("POST", "/v2/models/%73ums/infer"),
)  # fmt: skip


@pytest.fixture
def keys(tmp_path: Path) -> str:
    create_key(tmp_path / "keys.db", "another")
    return str(tmp_path / "keys.db")


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    """Start a protected server."""
    with contextlib.ExitStack() as stack:

        def start(*models: ServedModel, admin: bool = False, **protection: str | int) -> RunningServer:
            settings = ServerSettings(port=0, admin_port=0 if admin else None)
            files = ProtectionSettings(**protection)  # type: ignore[arg-type]
            guarding = stack.enter_context(Protection(files, clock=SystemClock()))
            return stack.enter_context(
                RunningServer(*(models or (make_model(),)), settings=settings, protection=guarding)
            )

        yield start


def ask_to_infer(client: Client, key: str, rows: list[list[float]] = ROWS) -> HttpReply:
    client.send(infer_request(rows).replace(b"Host: test", f"Host: test\r\nAuthorization: Bearer {key}".encode()))
    return client.read()


def audited(path: Path) -> list[dict[str, object]]:
    return [one for one in map(json.loads, path.read_bytes().splitlines()) if one["event"] == "request"]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_nothing_but_health_is_answered_without_a_key(guarded: Guarded, keys: str, method: str, path: str) -> None:
    with guarded(keys=keys).connect() as client:
        reply = client.ask(method, path)
        assert 401 == reply.status
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert json.loads(reply.body)["error"]


def test_health_is_answered_without_a_key(guarded: Guarded, keys: str) -> None:
    with guarded(keys=keys).connect() as client:
        assert [200, 200] == [client.ask("GET", f"/v2/health/{what}").status for what in ("live", "ready")]


def test_a_key_may_do_what_its_scopes_say_and_no_more(guarded: Guarded, keys: str) -> None:
    secret = create_key(keys, "ci", allow=["sums:infer"]).secret
    with guarded(make_model(), make_model(name="others"), keys=keys).connect() as client:
        assert 200 == ask_to_infer(client, secret).status
        bearer = f"Bearer {secret}"
        replies = [
            client.ask("GET", "/v2/models/sums", Authorization=bearer),
            client.ask("POST", "/v2/models/others/infer", Authorization=bearer),
            client.ask("POST", "/v2/models/no-such-model/infer", Authorization=bearer),
            client.ask("POST", "/v2/repository/index", Authorization=bearer),
        ]
        assert [403] * 4 == [reply.status for reply in replies]


def test_a_key_is_not_told_which_other_models_there_are(guarded: Guarded, keys: str) -> None:
    secret = create_key(keys, "ci", allow=["s*:infer"]).secret
    with guarded(make_model(), make_model(name="hidden"), keys=keys).connect() as client:
        reply = client.ask("POST", "/v2/models/sumz/infer", Authorization=f"Bearer {secret}")
        assert 404 == reply.status
        assert b"hidden" not in reply.body


def test_a_revoked_key_is_refused_by_a_running_server_within_a_second(guarded: Guarded, keys: str) -> None:
    made = create_key(keys, "ci")
    with guarded(keys=keys).connect() as client:
        assert 200 == ask_to_infer(client, made.secret).status
        revoke_key(keys, made.key.id)
        clock, revoked_ns = SystemClock(), SystemClock().now_ns()
        while ask_to_infer(client, made.secret).status == 200:
            # Ten times what it takes, so that a busy machine is no failure; that it ends at all is what counts.
            assert clock.now_ns() - revoked_ns < 10 * 10**9


def test_limits_are_in_rows_and_a_refusal_says_when_to_come_back(guarded: Guarded, keys: str) -> None:
    secret = create_key(keys, "ci", rows_per_s=0.01, burst_rows=3).secret
    with guarded(make_model(max_rows=8), keys=keys).connect() as client:
        assert 200 == ask_to_infer(client, secret, ROWS * 2).status
        refused = ask_to_infer(client, secret, ROWS * 2)
        assert 429 == refused.status
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        assert 200 == ask_to_infer(client, secret, ROWS).status


def test_paths_remembered_for_those_who_were_let_in_are_bounded(tmp_path: Path) -> None:
    class Answering:
        def handle(self, request: HttpRequest, exchange: Exchange) -> None:
            exchange.respond(200, b"{}")

    class Outlet:
        def must_close(self) -> bool:
            return False

        def flush(self) -> None:
            pass

    with Protection(ProtectionSettings(audit=str(tmp_path / "audit")), clock=SystemClock()) as guarding:
        assert guarding.guard is not None
        router = GuardedRouter(Answering(), guarding.guard, Tally())
        for number in range(3000):
            request = HttpRequest(b"GET", f"/v2/models/m{number}".encode(), {}, b"", keep_alive=True)
            router.handle(request, Exchange(Outlet(), started_ns=0))
        assert 1000 == len(router._rights)


def test_a_quota_is_not_charged_for_what_was_not_answered(guarded: Guarded, keys: str) -> None:
    def fail(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        if inputs["x"][0, 0] < 0:
            raise ValueError("negative")
        return sum_rows(inputs)

    secret = create_key(keys, "ci", rows_per_day=2).secret
    with guarded(make_model(fail), keys=keys).connect() as client:
        assert [500] * 3 == [ask_to_infer(client, secret, [[-1.0, 0, 0, 0]]).status for _ in range(3)]
        assert [200, 200, 429] == [ask_to_infer(client, secret).status for _ in range(3)]


def test_what_the_gate_refuses_is_in_the_account_of_the_server(guarded: Guarded, keys: str) -> None:
    secret = create_key(keys, "ci", rows_per_s=0.01, burst_rows=1).secret
    server = guarded(keys=keys)
    with server.connect() as client:
        assert [200, 429, 401] == [ask_to_infer(client, key).status for key in (secret, secret, "none")]
        assert 401 == client.ask("GET", "/v2").status
    server.stop()
    server.join()
    assert server.account is not None
    assert (1, 1, 2) == (server.account.accepted, server.account.answered, server.account.refused)


def test_a_header_sent_twice_is_no_key(guarded: Guarded, keys: str) -> None:
    secret = create_key(keys, "ci").secret.encode()
    with guarded(keys=keys).connect() as client:
        line = b"X-API-Key: " + secret + b"\r\n"
        client.send(b"GET /v2 HTTP/1.1\r\nHost: test\r\n" + line + line + b"\r\n")
        assert 401 == client.read().status


def test_every_request_is_in_the_audit_log_with_what_became_of_it(guarded: Guarded, keys: str, tmp_path: Path) -> None:
    made = create_key(keys, "ci", allow=["sums:infer"])
    path = tmp_path / "audit.jsonl"
    server = guarded(keys=keys, audit=str(path))
    with server.connect() as client:
        assert 200 == ask_to_infer(client, made.secret, ROWS).status
        assert 403 == client.ask("GET", "/v2/models/sums", Authorization=f"Bearer {made.secret}").status
        assert 401 == client.ask("GET", "/v2", Authorization="Bearer dyno_x_y").status
        assert 200 == client.ask("GET", "/v2/health/live").status
        assert 400 == client.ask("POST", "/v2/models/sums/infer", b"?", X_API_Key=made.secret).status
        while len(audited(path)) < 4:
            client.ask("GET", "/v2/health/live")
    found = [(line["key"], line["verb"], line["outcome"], line["status"], line["rows"]) for line in audited(path)]
    assert [
        (made.key.id, "infer", "answered", 200, 1),
        (made.key.id, "metadata", "refused", 403, 0),
        ("", "metadata", "refused", 401, 0),
        (made.key.id, "infer", "refused", 400, 0),
    ] == found
    assert made.secret.rsplit("_", 1)[1].encode() not in path.read_bytes()
    assert verify_audit([path]).broken is None


def test_a_client_that_went_away_is_in_the_audit_log_and_pays_nothing(
    guarded: Guarded, keys: str, tmp_path: Path
) -> None:
    gate = Gate()
    path = tmp_path / "audit.jsonl"
    secret = create_key(keys, "ci", rows_per_day=1).secret
    server = guarded(make_model(gate), keys=keys, audit=str(path))
    with server.connect() as client, server.connect() as other:
        client.send(infer_request(ROWS).replace(b"Host: test", f"Host: test\r\nX-API-Key: {secret}".encode()))
        while 200 != other.ask("GET", "/v2/health/live").status:
            pass
        client.close()
        while not audited(path):
            other.ask("GET", "/v2/health/live")
        assert [("cancelled", 499)] == [(line["outcome"], line["status"]) for line in audited(path)]
        gate.open()
        assert 200 == ask_to_infer(other, secret).status


def test_a_server_that_cannot_write_its_audit_log_is_not_ready_and_refuses(guarded: Guarded) -> None:
    with guarded(audit="/dev/full").connect() as client:
        assert 503 == client.ask("GET", "/v2/health/ready").status
        assert 200 == client.ask("GET", "/v2/health/live").status
        reply = client.ask("GET", "/v2")
        assert (503, "1") == (reply.status, reply.headers["retry-after"])
        assert b"audit" in reply.body


def test_with_continue_a_full_disk_under_the_audit_log_stops_nothing(guarded: Guarded) -> None:
    with guarded(audit="/dev/full", audit_on_failure="continue").connect() as client:
        assert 200 == client.ask("GET", "/v2/health/ready").status
        client.send(infer_request(ROWS))
        assert 200 == client.read().status


@pytest.mark.parametrize("path", ("/v2/repository/models/sums/unload", "/v2/logging", "/v2/trace/setting"))
def test_administration_is_closed_on_the_main_port_even_without_keys(guarded: Guarded, path: str) -> None:
    with guarded().connect() as client:
        reply = client.ask("POST", path, b"{}")
        assert 403 == reply.status
        assert b"--admin-port" in reply.body


def test_administration_has_a_port_of_its_own(guarded: Guarded) -> None:
    server = guarded(admin=True)
    assert server.admin_url.startswith("http://127.0.0.1:")
    with server.connect() as client, server.connect_to(server.admin_url) as admin:
        assert 403 == client.ask("POST", "/v2/repository/models/sums/unload").status
        assert 403 != admin.ask("POST", "/v2/repository/models/sums/unload").status
        assert 200 == admin.ask("GET", "/v2/health/live").status


def test_on_the_admin_port_a_key_needs_the_scope_for_it(guarded: Guarded, keys: str) -> None:
    plain, operator = create_key(keys, "ci").secret, create_key(keys, "op", allow=["*:admin"]).secret
    server = guarded(admin=True, keys=keys)
    with server.connect_to(server.admin_url) as admin:
        path = "/v2/repository/models/sums/unload"
        assert 403 == admin.ask("POST", path, X_API_Key=plain).status
        assert admin.ask("POST", path, X_API_Key=operator).status not in {401, 403}


def test_a_key_may_be_allowed_to_load_one_model_and_no_other(tmp_path: Path) -> None:
    keys = str(tmp_path / "keys.db")
    secret = create_key(keys, "deployer", allow=["sums:admin"]).secret
    shelf = Shelf(sums=[make_model], other=[lambda: make_model(name="other")])
    settings = ServerSettings(port=0, admin_port=0)
    loads = [f"/v2/repository/models/{name}/load" for name in ("sums", "other")]
    with (
        Protection(ProtectionSettings(keys=keys), clock=SystemClock()) as guarding,
        RunningServer(settings=settings, protection=guarding, source=shelf) as server,
        server.connect_to(server.admin_url) as admin,
    ):
        assert [200, 403] == [admin.ask("POST", path, X_API_Key=secret).status for path in loads]
        assert [401, 401] == [admin.ask("POST", path).status for path in loads]
    assert 3 == shelf.attempts


def call_grpc(address: str, method: str, message: bytes = b"", key: str = "") -> tuple[str, bytes]:
    """One gRPC call: the name of its code, and the answer's bytes."""
    metadata = [("authorization", f"Bearer {key}")] if key else []
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
        try:
            return "OK", call(message, metadata=metadata, timeout=30)
        except grpc.RpcError as problem:
            return problem.code().name, b""


def test_grpc_is_behind_the_same_gate_and_in_the_same_log(tmp_path: Path, keys: str) -> None:
    from modeldyno.wire.v2_messages import message_class

    secret = create_key(keys, "ci", allow=["sums:infer"], rows_per_s=0.01, burst_rows=1).secret
    ask = message_class("ModelInferRequest")(model_name="sums")
    tensor = ask.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    tensor.contents.fp32_contents.extend(ROWS[0])
    settings = ServerSettings(port=0, grpc_port=0)
    files = ProtectionSettings(keys=keys, audit=str(tmp_path / "audit.jsonl"))
    with (
        Protection(files, clock=SystemClock()) as guarding,
        RunningServer(make_model(), settings=settings, protection=guarding) as server,
    ):
        address, message = server.grpc_address, ask.SerializeToString()
        assert "OK" == call_grpc(address, "ServerLive")[0]
        assert "UNAUTHENTICATED" == call_grpc(address, "ModelInfer", message)[0]
        assert "OK" == call_grpc(address, "ModelInfer", message, secret)[0]
        assert "RESOURCE_EXHAUSTED" == call_grpc(address, "ModelInfer", message, secret)[0]
        assert "PERMISSION_DENIED" == call_grpc(address, "ServerMetadata", key=secret)[0]
        assert "PERMISSION_DENIED" == call_grpc(address, "LogSettings", key=secret)[0]
    assert [401, 200, 429, 403, 403] == [line["status"] for line in audited(tmp_path / "audit.jsonl")]
