import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stats.streams import MS, fail, make_stream

from modeldyno.records.objective import parse_objectives
from modeldyno.records.requests import TOKEN_DTYPE, Outcome
from modeldyno.records.run import LatencySummary
from modeldyno.stats.tokens import (
    first_token_times,
    gaps_between_tokens,
    meets_token_limits,
    summarise_tokens,
    times_per_token,
    token_rate,
    tokens_over_time,
)


def _p50_ms(found: LatencySummary) -> float:
    assert found.p50_ns is not None
    return found.p50_ns.value / MS


def test_the_times_of_a_known_stream_are_found() -> None:
    rows, pieces = make_stream()
    found = summarise_tokens(rows, rows, pieces)
    assert (21, 20, 4, 4) == (
        _p50_ms(found.time_to_first_token),
        _p50_ms(found.time_to_first_token_from_send),
        _p50_ms(found.inter_token_latency),
        _p50_ms(found.time_per_output_token),
    )
    assert (400, 400, 0, 2000, 2000, 0) == (
        found.counted, found.streamed, found.empty, found.pieces, found.tokens_in_pieces, found.pieces_in_one_read,
    )  # fmt: skip
    assert found.output_tokens.mean is not None
    assert found.input_tokens.mean is not None
    assert (5, 7) == (found.output_tokens.mean.value, found.input_tokens.mean.value)


def test_a_late_send_is_charged_to_the_first_token() -> None:
    rows, pieces = make_stream(late_ns=50 * MS)
    found = summarise_tokens(rows, rows, pieces)
    assert (70, 20) == (_p50_ms(found.time_to_first_token), _p50_ms(found.time_to_first_token_from_send))


def test_the_rate_of_tokens_is_that_of_the_plan() -> None:
    # 100 requests/s of 5 tokens: 500/s, but for the first 37 ms, in which nothing can have come yet.
    rows, pieces = make_stream(2000)
    found = token_rate(rows, pieces)
    assert found is not None
    assert 500 == pytest.approx(found.value, rel=0.005)


def test_tokens_of_the_warm_up_count_where_they_come() -> None:
    rows, pieces = make_stream(2000)
    rows["measured"][:100] = False
    counts = tokens_over_time(rows, pieces, 20)
    assert counts is not None
    assert counts[0] == pytest.approx(counts[10], abs=6)


def test_tokens_in_one_piece_are_spread_over_the_pieces() -> None:
    rows, pieces = make_stream(2000)
    rows["output_tokens"] = 10
    found, doubled = summarise_tokens(rows, rows, pieces), token_rate(rows, pieces)
    assert doubled is not None
    assert 1000 == pytest.approx(doubled.value, rel=0.005)
    assert (10_000, 20_000) == (found.pieces, found.tokens_in_pieces)
    assert 4 == _p50_ms(found.inter_token_latency)
    assert 16 / 9 == pytest.approx(_p50_ms(found.time_per_output_token), rel=1e-6)


def test_answers_in_one_go_have_tokens_but_no_first() -> None:
    rows, _ = make_stream(2000)
    rows["first_token_ns"] = rows["last_token_ns"] = -1
    found = summarise_tokens(rows, rows, np.empty(0, TOKEN_DTYPE))
    assert (0, 0) == (found.streamed, found.pieces)
    assert found.time_to_first_token.p50_ns is None
    assert found.output_tokens_per_s is not None
    assert 500 == pytest.approx(found.output_tokens_per_s.value, rel=0.01)


def test_pieces_in_one_read_are_counted() -> None:
    rows, pieces = make_stream(100)
    pieces["moment_ns"][1::5] = pieces["moment_ns"][0::5]
    assert 100 == summarise_tokens(rows, rows, pieces).pieces_in_one_read


def test_an_answer_without_content_is_counted_and_has_no_first_token() -> None:
    rows, pieces = make_stream(100)
    rows["first_token_ns"][3] = rows["last_token_ns"][3] = -1
    rows["output_tokens"][3] = 0
    found = summarise_tokens(rows, rows, pieces[pieces["number"] != 3])
    assert (1, 99) == (found.empty, found.streamed)
    assert 99 == len(first_token_times(rows))


def test_failures_are_unbounded_in_every_time_and_weigh_as_much_as_answers() -> None:
    rows, pieces = fail(*make_stream(100), slice(0, 100, 10), Outcome.STREAM_CUT)
    for values in (first_token_times(rows), times_per_token(rows), gaps_between_tokens(rows, pieces)):
        assert 0.1 == float(np.isinf(values).mean())


def test_what_the_user_cut_off_is_left_out() -> None:
    rows, pieces = fail(*make_stream(100), slice(90, 100), Outcome.INTERRUPTED)
    assert [90, 90, 360] == [
        len(values) for values in (first_token_times(rows), times_per_token(rows), gaps_between_tokens(rows, pieces))
    ]


def test_the_order_of_pieces_of_different_requests_does_not_matter() -> None:
    rows, pieces = make_stream(60)
    order = np.argsort(np.random.default_rng(1).permutation(60), kind="stable")
    shuffled = pieces.reshape(60, 5)[order].reshape(-1)
    assert summarise_tokens(rows, rows, pieces) == summarise_tokens(rows, rows, shuffled)


def test_gaps_come_in_the_order_of_time() -> None:
    rows, pieces = make_stream(3, tokens=3, every_ns=0)
    pieces["moment_ns"] = [10, 20, 90, 11, 40, 50, 12, 13, 99]
    assert [1, 10, 29, 10, 70, 86] == gaps_between_tokens(rows, pieces).tolist()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_a_request_meets_a_limit_on_gaps_when_its_own_percentile_does(counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, _ = make_stream(len(counts))
    rows["output_tokens"] = counts
    pieces = np.empty(sum(counts), TOKEN_DTYPE)
    pieces["number"] = np.repeat(rows["number"], counts)
    moments = [np.cumsum(random.integers(0, 9, count)) for count in counts]
    pieces["moment_ns"] = np.concatenate(moments)
    gaps = [np.sort(np.diff(one)) for one in moments]
    for text, level in (("itl_p50<=4ns", 0.5), ("itl_p90<=4ns", 0.9), ("itl_max<=4ns", 1.0)):
        expected = [not len(own) or own[max(0, int(np.ceil(len(own) * level)) - 1)] <= 4 for own in gaps]
        assert expected == meets_token_limits(rows, pieces, parse_objectives(text)).tolist()
    means = [not len(own) or own.mean() <= 4 for own in gaps]
    assert means == meets_token_limits(rows, pieces, parse_objectives("itl_mean<=4ns")).tolist()


def test_a_request_meets_limits_on_its_own_first_token_and_time_per_token() -> None:
    rows, pieces = make_stream(4)
    rows["first_token_ns"][0] += 30 * MS
    rows["last_token_ns"][0] += 30 * MS
    rows["last_token_ns"][1] += 40 * MS
    rows["first_token_ns"][2] = -1
    rows["outcome"][3] = Outcome.TIMEOUT
    assert [False, True, False, False] == meets_token_limits(rows, pieces, parse_objectives("ttft_p99<50ms")).tolist()
    assert [True, False] == meets_token_limits(rows, pieces, parse_objectives("tpot_p95<10ms")).tolist()[:2]


def test_without_a_request_nothing_is_known() -> None:
    rows, pieces = make_stream(0)
    found = summarise_tokens(rows, rows, pieces)
    assert (0, None, None) == (found.streamed, found.output_tokens_per_s, found.output_tokens.mean)
