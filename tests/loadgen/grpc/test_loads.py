"""Whole loads over gRPC, from the plan to the rows and the record."""

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import trustme
from tests.loadgen.grpc.conftest import SIGNATURE, Serving

import modeldyno
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.questions.check import Check
from modeldyno.errors import TargetError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.readers.v2 import request_id
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.records.requests import Outcome
from modeldyno.wire.v2_grpc import encode_infer_request
from modeldyno.wire.v2_messages import method_path

GRPC = Wiring(transport="grpc", reader="v2-grpc")


def prepared(model: str, count: int = 3) -> list[PreparedRequest]:
    inputs = {"x": np.ones((1, 4), np.float32)}
    return [
        PreparedRequest(
            encode_infer_request(inputs, SIGNATURE, model, request_id=request_id(number)),
            (),
            1,
            method_path("ModelInfer"),
        )
        for number in range(count)
    ]


def outcomes(result: Any) -> set[tuple[int, int]]:
    """Outcomes and codes of the rows."""
    return {(int(outcome), int(status)) for outcome, status in result.requests[["outcome", "status"]].tolist()}


def test_every_planned_call_has_a_row_with_its_moments(served: Serving, offer: Any) -> None:
    rows = offer(served.url, prepared=prepared("echo"), wiring=GRPC).requests

    assert 50 == len(rows)
    assert {int(Outcome.OK)} == set(rows["outcome"].tolist())
    assert (rows["planned_ns"] <= rows["sent_ns"]).all()
    assert (rows["sent_ns"] <= rows["first_byte_ns"]).all()
    assert (rows["first_byte_ns"] <= rows["done_ns"]).all()
    assert (rows["sent_bytes"] > 100).all()
    assert (rows["received_bytes"] > 50).all()


def test_a_closed_loop_goes_over_grpc(served: Serving, offer: Any) -> None:
    rows = offer(served.url, prepared=prepared("echo"), wiring=GRPC, arrivals="closed", concurrency=3).requests

    assert len(rows) >= 40
    assert {int(Outcome.OK)} == set(rows["outcome"].tolist())


def test_metadata_and_the_deadline_reach_the_server(served: Serving, offer: Any) -> None:
    access = Access(headers=(("Authorization", "Bearer key"), ("x-tenant", "a")))
    offer(served.url, prepared=prepared("echo"), wiring=Wiring(transport="grpc", reader="v2-grpc", access=access))
    seen = served.inference.metadata

    assert 50 == len(seen)
    assert {("Bearer key", "a")} == {(one["authorization"], one["x-tenant"]) for one in seen}


@pytest.mark.parametrize("code", (5, 14))
def test_a_code_other_than_ok_is_a_failure_with_that_code(served: Serving, offer: Any, code: int) -> None:
    result = offer(served.url, prepared=prepared(f"code-{code}"), wiring=GRPC)

    assert {(Outcome.GRPC_ERROR, code)} == outcomes(result)


def test_answers_to_other_requests_are_failures(served: Serving, offer: Any) -> None:
    assert {(Outcome.MISMATCHED, 0)} == outcomes(offer(served.url, prepared=prepared("other-id"), wiring=GRPC))


def test_answers_that_are_no_messages_are_failures(served: Serving, offer: Any) -> None:
    result = offer(served.url, prepared=prepared("garbage"), wiring=GRPC)

    assert {(Outcome.MALFORMED, 0)} == outcomes(result)


def test_what_is_not_answered_in_time_is_timed_out(served: Serving, offer: Any) -> None:
    result = offer(
        served.url, prepared=prepared("silent"), wiring=GRPC, timeout_ns=60_000_000, requests=5, warmup_requests=0
    )

    assert {(Outcome.TIMEOUT, 0)} == outcomes(result)


def test_connections_that_the_server_lets_go_are_replaced_and_no_call_fails(serve: Any, offer: Any) -> None:
    with serve(("grpc.max_connection_age_ms", 150), ("grpc.max_connection_age_grace_ms", 5_000)) as server:
        result = offer(server.url, prepared=prepared("echo"), wiring=GRPC, requests=150)

    assert {(Outcome.OK, 0)} == outcomes(result)
    assert result.effective.reconnects > 0


def test_a_server_that_stops_half_way_leaves_what_was_measured(
    served: Serving, offer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = served.inference.ModelInfer

    def stop_at_last(message: bytes, context: Any) -> bytes:
        if len(served.inference.metadata) == 20:
            served.server.stop(0)
        return answer(message, context)

    monkeypatch.setattr(served.inference, "ModelInfer", stop_at_last)
    result = offer(served.url, prepared=prepared("echo"), wiring=GRPC, timeout_ns=2_000_000_000)
    found = {outcome for outcome, _ in outcomes(result)}

    assert int(Outcome.OK) in found
    assert found <= {Outcome.OK, Outcome.DISCONNECTED, Outcome.REFUSED, Outcome.GRPC_ERROR}
    assert Outcome.REFUSED in found
    assert 50 == len(result.requests)


def test_an_http_server_is_not_loaded_over_grpc(offer: Any) -> None:
    from modeldyno.testing.known_servers import Behaviour, known_server

    with known_server(Behaviour()) as server, pytest.raises(TargetError, match="cannot reach"):
        offer(server.url.replace("http", "grpc"), prepared=prepared("echo"), wiring=GRPC)


def test_an_encrypted_server_is_loaded_with_its_authority(serve: Any, offer: Any, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own = authority.issue_cert("localhost")
    pair = (own.private_key_pem.bytes(), b"".join(one.bytes() for one in own.cert_chain_pems))
    access = Access(authorities=str(tmp_path / "ca.pem"))
    with serve(credentials=grpc.ssl_server_credentials((pair,))) as server:
        wiring = Wiring(transport="grpc", reader="v2-grpc", access=access)
        result = offer(f"grpcs://localhost:{server.port}", prepared=prepared("echo"), wiring=wiring)

    assert {(Outcome.OK, 0)} == outcomes(result)


def load(served: Serving, out: Path, **asked: Any) -> Any:
    shape = modeldyno.Shape(requests=60, warmup_ns=50_000_000)
    run, _ = modeldyno.load(served.url, rate_per_s=200, ask=Ask(**asked), shape=shape, out=out)
    assert run.summary is not None
    return run


def test_the_verb_finds_the_model_by_itself_and_keeps_the_protocol(served: Serving, tmp_path: Path) -> None:
    run = load(served, tmp_path / "run")

    assert ("oip-grpc", "echo") == (run.requested.protocol, run.requested.model)
    assert 60 == run.summary.requests
    assert {} == run.summary.failures


def test_failures_are_counted_by_the_name_of_their_code(served: Serving, tmp_path: Path) -> None:
    served.inference.offered = ["code-14"]

    assert {"grpc_unavailable": 60} == load(served, tmp_path / "run").summary.failures


def test_a_server_is_held_against_its_own_answers(served: Serving, tmp_path: Path) -> None:
    served.inference.offered = ["echo", "fickle"]
    right = load(served, tmp_path / "right", model="echo", check=Check(expected="server"))
    wrong = load(served, tmp_path / "wrong", model="fickle", check=Check(expected="server"))

    assert {} == right.summary.failures
    assert wrong.summary.failures.get("wrong_answer", 0) > 0


def test_a_server_whose_own_answers_cannot_be_had_is_told_before_the_load(served: Serving, tmp_path: Path) -> None:
    served.inference.offered = ["code-3"]

    with pytest.raises(TargetError, match="request 0 of the data with INVALID_ARGUMENT"):
        load(served, tmp_path / "run", check=Check(expected="server"))
