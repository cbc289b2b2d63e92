"""What fails is counted by kind, exactly as often as the server did it."""

from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.questions.check import Check
from modeldyno.records.requests import Outcome
from modeldyno.testing.known_servers import Behaviour
from modeldyno.testing.truth import Fate

from .conftest import Measure

MS = 1_000_000
STATUSES = (301, 307, 400, 401, 404, 429, 500, 502, 503, 599)
OUTCOMES = {
    Fate.ANSWERED: Outcome.OK,
    Fate.STATUS: Outcome.HTTP_ERROR,
    Fate.RESET: Outcome.DISCONNECTED,
    Fate.TRUNCATED: Outcome.DISCONNECTED,
    Fate.GARBAGE: Outcome.MALFORMED,
    Fate.SILENT: Outcome.TIMEOUT,
}


@pytest.mark.parametrize("arrivals", ("poisson", "closed"))
def test_every_kind_is_counted_as_often_as_the_server_did_it(measure: Measure, arrivals: str) -> None:
    behaviour = Behaviour(
        delay_ns=MS, status_every=5, statuses=STATUSES, reset_every=7, truncate_every=11, garbage_every=13,
        silent_every=97,
    )  # fmt: skip
    load = {"arrivals": "closed", "concurrency": 8} if arrivals == "closed" else {"rate_per_s": 400}
    told = measure(behaviour, requests=400, timeout_ns=1_500 * MS, **load)

    assert 400 == len(told.rows) == len(told.truth)
    for fate, outcome in OUTCOMES.items():
        alike = [other for other, same in OUTCOMES.items() if same == outcome]
        did = int(np.isin(told.truth["fate"], alike).sum())
        assert did == int((told.rows["outcome"] == outcome).sum()), fate
    failures = dict(told.summary.failures)
    did_statuses, counts = np.unique(told.truth["status"][told.truth["fate"] == Fate.STATUS], return_counts=True)
    assert set(STATUSES) == set(did_statuses.tolist())
    for status, count in zip(did_statuses, counts, strict=True):
        assert count == failures.pop(f"http_{status}")
    assert {"timeout", "disconnected", "malformed"} == set(failures)
    assert told.summary.answered == int((told.truth["fate"] == Fate.ANSWERED).sum())


def test_a_server_that_refuses_everything_has_answered_nothing(measure: Measure) -> None:
    told = measure(Behaviour(status_every=1), rate_per_s=500, requests=200)
    assert {"http_503": 200} == told.summary.failures
    assert 0 == told.summary.answered
    assert told.summary.response_time.p50_ns is None


def test_an_answer_to_another_request_is_no_answer(measure: Measure) -> None:
    told = measure(Behaviour(wrong_id_every=7), rate_per_s=500, requests=200)
    assert {"mismatched": 28} == told.summary.failures
    assert 28 == int((told.truth["fate"] == Fate.WRONG_ID).sum())


def test_an_answer_that_changes_under_load_is_wrong(measure: Measure, tmp_path: Path) -> None:
    behaviour = Behaviour(wrong_answer_every=9)
    expected = tmp_path / "expected.npz"
    np.savez(expected, y=np.zeros((64, 1), np.float32))
    rows = tmp_path / "rows.npz"
    np.savez(rows, x=np.ones((64, 4), np.float32))
    ask = Ask(protocol="oip-json", data=rows, check=Check(expected=expected))
    told = measure(behaviour, ask=ask, rate_per_s=500, requests=200)
    assert {"wrong_answer": 22} == told.summary.failures
    assert 22 == int((told.truth["fate"] == Fate.WRONG_ANSWER).sum())
