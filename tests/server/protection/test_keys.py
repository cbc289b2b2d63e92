"""The key file, the ring that follows it, and the gate: without sockets, and with a clock that is moved by hand."""

import contextlib
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.api.keys import create_key, list_keys, parse_scope, revoke_key
from modeldyno.clock import epoch_ms, wall_time_of
from modeldyno.errors import InputError, OutputError, UsageError
from modeldyno.records.security import Key, Scope
from modeldyno.server.call import Refusal
from modeldyno.server.protection.account import Account
from modeldyno.server.protection.gate import Gate
from modeldyno.server.protection.key_ring import STALE_NS, KeyRing
from modeldyno.server.protection.token_bucket import OwnBucket
from modeldyno.server.rights import Right, is_administration, right_of, segments_of
from modeldyno.server.visit import Visit
from modeldyno.testing.clock import ManualClock

SECOND_NS = 10**9
INFER = Right("infer", "digits")
DAY_NS = 86_400 * SECOND_NS
Follow: TypeAlias = Callable[[Path], KeyRing]


class DayClock(ManualClock):
    """Its wall clock goes with it, and can be set."""

    offset_ms = 0

    def wall_time(self) -> str:
        return wall_time_of(epoch_ms("2026-01-01T00:00:00+00:00") + self.now_ns() // 1_000_000 + self.offset_ms)


@pytest.fixture
def clock() -> DayClock:
    return DayClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


@pytest.fixture
def follow(clock: DayClock) -> Iterator[Follow]:
    """Rings that end with the test."""
    with contextlib.ExitStack() as stack:

        def start(file: Path) -> KeyRing:
            ring = KeyRing(file, clock=clock)
            stack.callback(ring.stop)
            return ring

        yield start


def bearer(secret: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {secret}".encode()}


def entered(outcome: Account | Refusal) -> Account:
    assert isinstance(outcome, Account), outcome
    return outcome


def reserve(gate: Gate, account: Account, rows: int) -> Refusal | None:
    """What a request of so many rows reserves when it is decoded."""
    return Visit(account, gate, None, INFER, b"").reserve(rows)


def status(outcome: Account | Refusal | None) -> int:
    return outcome.status if isinstance(outcome, Refusal) else 200


def test_a_key_gets_in_and_is_known_by_its_id(file: Path, clock: DayClock, follow: Follow) -> None:
    made = create_key(file, "ci", clock=clock)
    gate = Gate(follow(file), clock=clock)
    assert made.key.id == entered(gate.check(bearer(made.secret), INFER)).key.id
    assert made.key.id == entered(gate.check({b"x-api-key": made.secret.encode()}, INFER)).key.id


@pytest.mark.parametrize(
    "headers",
    (
        {},
        {b"authorization": b""},
        {b"authorization": b"Basic dXNlcjpwYXNz"},
        {b"authorization": b"Bearer"},
        {b"authorization": b"Bearer dyno_"},
        {b"authorization": b"Bearer dyno_x_y"},
        {b"authorization": b"Bearer \xff\xfe"},
        {b"x-api-key": b""},
    ),
)
def test_what_is_no_key_is_refused_with_401(
    file: Path, clock: DayClock, follow: Follow, headers: dict[bytes, bytes]
) -> None:
    create_key(file, "ci", clock=clock)
    assert 401 == status(Gate(follow(file), clock=clock).check(headers, INFER))


@given(st.integers(0, 63), st.binary(min_size=1, max_size=1))
def test_a_key_with_one_byte_changed_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: bytes
) -> None:
    file, clock = tmp_path_factory.mktemp("keys") / "keys.db", DayClock()
    secret = create_key(file, "ci", clock=clock).secret.encode()
    changed = secret[:place] + byte + secret[place + 1 :]
    ring = KeyRing(file, clock=clock)
    outcome = Gate(ring, clock=clock).check({b"x-api-key": changed}, INFER)
    ring.stop()
    assert (200 if changed == secret else 401) == status(outcome)


def test_the_secret_is_nowhere_in_the_file(file: Path, clock: DayClock) -> None:
    made = create_key(file, "ci", clock=clock)
    revoke_key(file, made.key.id, clock=clock)
    secret = made.secret.rsplit("_", 1)[1].encode()
    content = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert made.key.id.encode() in content
    assert secret not in content


def test_only_its_owner_can_read_the_file(file: Path, clock: DayClock) -> None:
    create_key(file, "ci", clock=clock)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}


def test_a_revoked_key_is_refused_at_the_next_look_at_the_file(file: Path, clock: DayClock, follow: Follow) -> None:
    made, other = create_key(file, "ci", clock=clock), create_key(file, "other", clock=clock)
    ring = follow(file)
    gate = Gate(ring, clock=clock)
    assert 200 == status(gate.check(bearer(made.secret), INFER))
    revoke_key(file, made.key.id, clock=clock)
    ring.refresh()
    assert (401, 200) == (
        status(gate.check(bearer(made.secret), INFER)),
        status(gate.check(bearer(other.secret), INFER)),
    )


def all_of(ring: KeyRing) -> str:
    """Not `vars`, which what is compiled has not."""
    return repr([getattr(ring, name) for name in dir(ring)])


def test_a_key_that_was_let_in_is_forgotten_at_the_next_look_at_the_file(
    file: Path, clock: DayClock, follow: Follow
) -> None:
    made = create_key(file, "ci", clock=clock)
    ring = follow(file)
    held = []
    for _ in range(2):
        assert ring.find(made.secret.encode(), clock.now_ns()) is not None
        held.append(made.secret in all_of(ring))
        ring.refresh()
        held.append(made.secret in all_of(ring))
    assert [True, False, True, False] == held


def test_a_key_made_while_the_server_runs_gets_in(file: Path, clock: DayClock, follow: Follow) -> None:
    create_key(file, "first", clock=clock)
    ring = follow(file)
    made = create_key(file, "second", clock=clock)
    ring.refresh()
    assert 200 == status(Gate(ring, clock=clock).check(bearer(made.secret), INFER))


def test_a_key_made_by_another_process_gets_in(file: Path, clock: DayClock, follow: Follow) -> None:
    create_key(file, "first", clock=clock)
    ring = follow(file)
    script = f"import modeldyno; print(modeldyno.create_key({str(file)!r}, 'second').secret)"
    secret = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    ring.refresh()
    assert 200 == status(Gate(ring, clock=clock).check(bearer(secret), INFER))


def test_a_key_expires_by_the_wall_clock_even_when_that_is_set(file: Path, clock: DayClock, follow: Follow) -> None:
    made = create_key(file, "ci", expires_in_ns=DAY_NS, clock=clock)
    ring = follow(file)
    gate = Gate(ring, clock=clock)
    clock.advance_ns(SECOND_NS)
    assert 200 == status(gate.check(bearer(made.secret), INFER))
    clock.offset_ms = 86_400_000
    ring.refresh()
    assert 401 == status(gate.check(bearer(made.secret), INFER))


@pytest.mark.parametrize("fault", ("gone", "damaged"))
def test_nobody_gets_in_when_the_file_cannot_be_followed_any_more(
    file: Path, clock: DayClock, follow: Follow, fault: str
) -> None:
    made = create_key(file, "ci", clock=clock)
    ring = follow(file)
    gate = Gate(ring, clock=clock)
    if fault == "gone":
        file.unlink()
    else:
        file.unlink()
        file.write_bytes(b"x" * 8192)
    with pytest.raises(InputError):
        ring.refresh()
    clock.advance_ns(STALE_NS + 1)
    assert 503 == status(gate.check(bearer(made.secret), INFER))


def test_a_replaced_file_counts_and_its_keys_alone(file: Path, clock: DayClock, follow: Follow, tmp_path: Path) -> None:
    old = create_key(file, "old", clock=clock)
    ring = follow(file)
    new = create_key(tmp_path / "other.db", "new", clock=clock)
    (tmp_path / "other.db").replace(file)
    ring.refresh()
    gate = Gate(ring, clock=clock)
    assert (401, 200) == (
        status(gate.check(bearer(old.secret), INFER)),
        status(gate.check(bearer(new.secret), INFER)),
    )


def test_scopes_are_by_model_and_verb(file: Path, clock: DayClock, follow: Follow) -> None:
    made = create_key(file, "ci", allow=["team-*:infer", "digits:metadata,statistics"], clock=clock)
    gate = Gate(follow(file), clock=clock)

    def ask(verb: str, model: str | None) -> int:
        return status(gate.check(bearer(made.secret), Right(verb, model)))  # type: ignore[arg-type]

    assert [200, 403, 403] == [ask("infer", "team-a"), ask("infer", "digits"), ask("metadata", "team-a")]
    assert [200, 200, 403] == [ask("metadata", "digits"), ask("metadata", None), ask("admin", None)]
    assert [403, 403] == [ask("metadata", "*"), ask("infer", "*")]


def test_what_concerns_all_models_needs_a_scope_for_all(file: Path, clock: DayClock, follow: Follow) -> None:
    sly, full = create_key(file, "sly", allow=["?:metadata"], clock=clock), create_key(file, "full", clock=clock)
    gate = Gate(follow(file), clock=clock)
    assert (403, 200) == (
        status(gate.check(bearer(sly.secret), Right("metadata", "*"))),
        status(gate.check(bearer(full.secret), Right("metadata", "*"))),
    )


def test_a_quota_counts_answered_rows_only_and_begins_anew_at_midnight(
    file: Path, clock: DayClock, follow: Follow
) -> None:
    made = create_key(file, "ci", rows_per_day=10, clock=clock)
    ring = follow(file)
    gate = Gate(ring, clock=clock)
    account = entered(gate.check(bearer(made.secret), INFER))
    assert reserve(gate, account, 6) is None
    refused = reserve(gate, account, 6)
    assert isinstance(refused, Refusal)
    assert (429, 86_400) == (refused.status, refused.retry_after_s)
    account.settle(6, was_answered=False)
    assert reserve(gate, account, 8) is None
    account.settle(8, was_answered=True)
    ring.refresh()
    assert [8] == [key.rows_today for key in list_keys(file, clock=clock).keys]
    assert 429 == status(reserve(gate, account, 3))
    clock.advance_ns(DAY_NS)
    ring.refresh()
    assert reserve(gate, account, 10) is None


def test_a_quota_is_one_for_all_servers_of_a_file_and_survives_them(
    file: Path, clock: DayClock, follow: Follow
) -> None:
    made = create_key(file, "ci", rows_per_day=10, clock=clock)
    rings = [follow(file), follow(file)]
    for ring in rings:
        gate = Gate(ring, clock=clock)
        account = entered(gate.check(bearer(made.secret), INFER))
        assert reserve(gate, account, 4) is None
        account.settle(4, was_answered=True)
        ring.refresh()
    rings[0].refresh()
    gates = [Gate(ring, clock=clock) for ring in (*rings, follow(file))]
    accounts = [entered(gate.check(bearer(made.secret), INFER)) for gate in gates]
    assert [429, 429, 429] == [status(reserve(gate, one, 3)) for gate, one in zip(gates, accounts, strict=True)]
    assert [200, 200, 200] == [status(reserve(gate, one, 2)) for gate, one in zip(gates, accounts, strict=True)]


def test_a_rate_limit_says_when_to_come_back(file: Path, clock: DayClock, follow: Follow) -> None:
    made = create_key(file, "ci", rows_per_s=2, burst_rows=4, clock=clock)
    gate = Gate(follow(file), clock=clock)
    account = entered(gate.check(bearer(made.secret), INFER))
    assert reserve(gate, account, 4) is None
    refused = reserve(gate, account, 4)
    assert isinstance(refused, Refusal)
    assert (429, 2) == (refused.status, refused.retry_after_s)
    clock.advance_ns(2 * SECOND_NS)
    assert reserve(gate, account, 4) is None


def test_rights_remembered_for_a_key_are_bounded() -> None:
    key = Key(id="a", name="", scopes=(Scope(models="*", verbs=("infer",)),), created_at="")
    account = Account(key, b"", bucket=OwnBucket(0, 0))
    assert all(account.may(Right("infer", f"model-{number}")) for number in range(5000))
    assert 1000 == len(account._allowed)


@pytest.mark.parametrize("text", ("", "digits", "digits:", ":infer", "digits:infer,fly", "digits:infer,,"))
def test_what_is_no_scope_says_what_one_is(text: str) -> None:
    with pytest.raises(UsageError, match="not a scope") as caught:
        parse_scope(text)
    assert "infer, metadata" in caught.value.why


def test_other_files_are_no_key_files(tmp_path: Path, clock: DayClock) -> None:
    (tmp_path / "text").write_text("hello")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE keys (id TEXT)")
    other.close()
    (tmp_path / "folder").mkdir()
    for name in ("text", "other.db", "folder"):
        with pytest.raises(InputError, match="not a readable key file"):
            list_keys(tmp_path / name, clock=clock)
        with pytest.raises(InputError, match="not a readable key file"):
            create_key(tmp_path / name, "ci", clock=clock)
    with pytest.raises(InputError, match="there is no key file"):
        list_keys(tmp_path / "absent", clock=clock)
    with pytest.raises(OutputError, match="cannot write") as caught:
        create_key(tmp_path / "text" / "keys.db", "ci", clock=clock)
    assert "no directory" in caught.value.why


@pytest.mark.parametrize(
    ("wish", "said"),
    (
        ({"name": " "}, "needs a name"),
        ({"name": "ci\nroot"}, "cannot name a key"),
        ({"name": "\x1b[31mci"}, "cannot name a key"),
        ({"expires_in_ns": 0}, "lets nobody in"),
        ({"expires_in_ns": 10**9 - 1}, "lets nobody in"),
        ({"expires_in_ns": 10**26}, "no calendar has a date"),
        ({"burst_rows": 5}, "means nothing without a rate"),
        ({"rows_per_s": 5.0, "burst_rows": 0}, "--burst is 0"),
        ({"rows_per_s": 5.0, "burst_rows": -1}, "--burst is -1"),
        ({"rows_per_s": 0.0}, "--rows-per-s is 0"),
        ({"rows_per_day": 0}, "--rows-per-day is 0"),
    ),
)
def test_a_key_that_would_be_of_no_use_is_not_made(
    file: Path, clock: DayClock, wish: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        create_key(file, **{"name": "ci", **wish}, clock=clock)
    assert caught.value.hint
    assert not file.exists()


def test_revoking_what_is_not_there_says_how_to_find_it(file: Path, clock: DayClock) -> None:
    create_key(file, "ci", clock=clock)
    with pytest.raises(UsageError, match="no key 'x'") as caught:
        revoke_key(file, "x", clock=clock)
    assert "dyno keys list" in caught.value.hint


PATHS = (
    "v2",
    "models",
    "versions",
    "infer",
    "stats",
    "health",
    "ready",
    "live",
    "repository",
    "index",
    "load",
    "*",
    "",
)


@given(st.lists(st.sampled_from(PATHS), max_size=7), st.sampled_from((b"GET", b"POST")))
def test_only_the_two_health_endpoints_are_open_without_a_key(segments: list[str], method: bytes) -> None:
    right = right_of(method, segments_of(("/" + "/".join(segments)).encode()))
    is_open = "/".join(segments).strip("/") in {"v2/health/live", "v2/health/ready"}
    assert is_open == (right is None)


@pytest.mark.parametrize(
    ("method", "target", "right"),
    (
        (b"POST", b"/v2/models/digits/infer", (INFER)),
        (b"POST", b"/v2/models/digits/versions/3/infer?x=1", (INFER)),
        (b"GET", b"/v2/models/di%67its", ("metadata", "digits")),
        (b"GET", b"/v2/models/digits/versions/3/stats", ("statistics", "digits")),
        (b"GET", b"/v2/models/stats", ("statistics", "*")),
        (b"GET", b"/v2/models//stats", ("statistics", "*")),
        (b"POST", b"/v2/repository/index", ("metadata", "*")),
        (b"POST", b"/v2/repository/models/digits/load", ("admin", "digits")),
        (b"POST", b"/v2/logging", ("admin", "*")),
        (b"GET", b"/v2/logging", ("metadata", "*")),
        (b"GET", b"/metrics", ("metrics", None)),
        (b"GET", b"/v2", ("metadata", None)),
        (b"GET", b"/v2/models/digits/secrets", ("admin", "*")),
        (b"GET", b"/", ("admin", "*")),
        (b"GET", b"/v2//health/live", ("admin", "*")),
        (b"GET", b"/v2/health%2Flive", ("admin", "*")),
    ),
)
def test_each_endpoint_needs_its_right_and_an_unknown_one_all(
    method: bytes, target: bytes, right: tuple[str, str | None]
) -> None:
    assert right == right_of(method, segments_of(target))


def test_what_changes_the_server_is_administration() -> None:
    assert is_administration(b"POST", segments_of(b"/v2/repository/models/digits/unload"))
    assert is_administration(b"POST", segments_of(b"/v2/models/digits/versions/1/trace/setting"))
    assert not is_administration(b"GET", segments_of(b"/v2/trace/setting"))
    assert not is_administration(b"POST", segments_of(b"/v2/repository/index"))


def test_the_list_of_keys_is_a_record_without_secrets(file: Path, clock: DayClock) -> None:
    made = create_key(file, "ci", rows_per_s=5, clock=clock)
    text = msgspec.json.encode(list_keys(file, clock=clock)).decode()
    assert "modeldyno.keys/1" in text
    assert made.secret.rsplit("_", 1)[1] not in text
