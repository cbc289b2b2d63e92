from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from tests.stats.streams import MS, fail, make_stream

from modeldyno.records.objective import parse_objectives
from modeldyno.records.prompting import Prompting, WordCost, parse_lengths
from modeldyno.records.requests import Outcome
from modeldyno.records.verdict import ObjectiveVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.probes import ProbeRun, joined_rows, judge_probe, requests_needed
from modeldyno.stats.summary import summarise
from modeldyno.stats.tokens import first_token_times

Judge = Callable[..., ObjectiveVerdict]


@pytest.fixture
def chat(workload: Workload) -> Workload:
    return msgspec.structs.replace(workload, protocol="openai-chat", rate_per_s=100.0, arrivals="constant")


@pytest.fixture
def judge(chat: Workload, effective: EffectiveWorkload) -> Judge:
    def answer(objective: str, rows: np.ndarray, pieces: np.ndarray, workload: Workload = chat) -> ObjectiveVerdict:
        objectives = parse_objectives(objective)
        summary = summarise(rows, workload, objectives, tokens=pieces)
        verdict = judge_run(summary, rows, workload, effective, objectives, interrupted=False, tokens=pieces)
        return verdict.objectives[0]

    return answer


@pytest.fixture
def stream() -> tuple[np.ndarray, np.ndarray]:
    """Time to first token 20 to 25 ms after the plan, gaps of 4 to 5 ms."""
    rows, pieces = make_stream(2000)
    random = np.random.default_rng(1)
    shifts = np.cumsum(random.integers(0, MS, (2000, 5)), axis=1)
    pieces["moment_ns"] += shifts.reshape(-1)
    rows["first_token_ns"] = pieces["moment_ns"][::5]
    rows["last_token_ns"] = pieces["moment_ns"][4::5]
    rows["done_ns"] = rows["last_token_ns"] + 1000
    return rows, pieces


@pytest.mark.parametrize(
    ("objective", "verdict", "told"),
    (
        ("ttft_p99<25ms", "pass", "over 2,000 first tokens"),
        ("ttft_p50<21ms", "fail", "ttft_p50"),
        ("ttft_max<1s", "pass", "the slowest of 2,000 first tokens"),
        ("itl_p99<6ms", "pass", "over 8,000 gaps between tokens"),
        ("itl_mean<4.2ms", "fail", "mean 4.5"),
        ("itl_p50<4.5ms", "cannot_tell", "more gaps between tokens would decide"),
        ("tpot_p95<6ms", "pass", "over 2,000 answers"),
        ("tpot_p50<4ms", "fail", "tpot_p50"),
        ("tokens_per_s>400", "pass", "output tokens"),
        ("tokens_per_s>=600/s", "cannot_tell", "offer a higher rate"),
    ),
)
def test_limits_on_tokens_are_judged_with_their_evidence(
    judge: Judge, stream: tuple[np.ndarray, np.ndarray], objective: str, verdict: str, told: str
) -> None:
    found = judge(objective, *stream)
    assert verdict == found.verdict
    assert told in found.evidence
    assert found.measured is not None


@pytest.mark.parametrize("objective", ("ttft_p99<1s", "itl_p99<1s", "tpot_p99<1s", "ttft_max<1s", "itl_mean<1s"))
def test_failures_fail_every_limit_on_times(
    judge: Judge, stream: tuple[np.ndarray, np.ndarray], objective: str
) -> None:
    rows, pieces = fail(*stream, slice(0, 2000, 40), Outcome.STREAM_CUT)
    found = judge(objective, rows, pieces)
    assert "fail" == found.verdict
    assert "count as unbounded" in found.evidence


def test_a_server_that_falls_behind_fails_a_rate_of_tokens(judge: Judge, stream: tuple[np.ndarray, np.ndarray]) -> None:
    rows, pieces = fail(*stream, slice(0, 2000, 2), Outcome.TIMEOUT)
    assert "fail" == judge("tokens_per_s>400", rows, pieces).verdict


def test_a_closed_loop_fails_a_rate_it_does_not_reach(
    judge: Judge, stream: tuple[np.ndarray, np.ndarray], chat: Workload
) -> None:
    closed = msgspec.structs.replace(chat, arrivals="closed", concurrency=4, rate_per_s=0.0)
    assert "fail" == judge("tokens_per_s>=600", *stream, closed).verdict


def test_a_load_without_tokens_cannot_tell(
    judge: Judge, stream: tuple[np.ndarray, np.ndarray], workload: Workload
) -> None:
    found = judge("ttft_p99<25ms", *stream, workload)
    assert "cannot_tell" == found.verdict
    assert "only the load of a language model" in found.evidence


def test_answers_in_one_piece_cannot_tell_of_first_tokens(judge: Judge) -> None:
    rows, pieces = make_stream(200)
    rows["first_token_ns"] = rows["last_token_ns"] = -1
    for objective in ("ttft_p99<25ms", "itl_p99<25ms", "tpot_p99<25ms"):
        assert "cannot_tell" == judge(objective, rows, pieces[:0]).verdict


def test_goodput_counts_limits_on_tokens(chat: Workload, stream: tuple[np.ndarray, np.ndarray]) -> None:
    rows, pieces = stream
    all_good = summarise(rows, chat, parse_objectives("ttft_p99<1s, p99<1s"), tokens=pieces)
    half = summarise(rows, chat, parse_objectives("ttft_p50<21.5ms, p99<1s"), tokens=pieces)
    assert all_good.goodput_per_s == all_good.answered_per_s
    assert half.goodput_per_s is not None
    assert 0.5 == pytest.approx(half.goodput_per_s / half.answered_per_s, abs=0.05)


def _notes(rows: np.ndarray, pieces: np.ndarray, workload: Workload, effective: EffectiveWorkload) -> str:
    summary = summarise(rows, workload, (), tokens=pieces)
    return "\n".join(judge_run(summary, rows, workload, effective, (), interrupted=False, tokens=pieces).notes)


def test_notes_say_who_counted_and_how_pieces_came(chat: Workload, effective: EffectiveWorkload) -> None:
    rows, pieces = make_stream(200)
    assert "pieces" not in _notes(rows, pieces, chat, effective)
    rows["output_tokens"] = 10
    rows["input_tokens"][:50] = -1
    pieces["moment_ns"][1::5] = pieces["moment_ns"][0::5]
    told = _notes(rows, pieces, chat, effective)
    assert "200 answers came in 1,000 pieces with 2,000 tokens, 2 each" in told
    assert "the tokens of 150 of 200 answers" in told
    assert "20.0 % of the pieces came in one read" in told


def test_notes_say_what_the_prompts_were(chat: Workload, effective: EffectiveWorkload) -> None:
    rows, pieces = make_stream(200)
    prompting = Prompting(source="made", distinct=64, mean_words=5.0, prompt_tokens=parse_lengths("5"))
    told = _notes(rows, pieces, msgspec.structs.replace(chat, prompting=prompting), effective)
    assert "5 on average, each in place of a token" in told
    assert "in the run it counted 7 tokens in them" in told
    assert "64 different prompts came again in 200 requests" in told
    known = msgspec.structs.replace(prompting, word_cost=WordCost(tokens_a_word=1.2, tokens_beside=9.0))
    told = _notes(rows, pieces, msgspec.structs.replace(chat, prompting=known), effective)
    assert "1.2 tokens each and 9 beside" in told
    enough = Prompting(source="prompts.txt", distinct=200, mean_words=5.0)
    assert "prompts" not in _notes(rows, pieces, msgspec.structs.replace(chat, prompting=enough), effective)


def test_probes_of_a_capacity_judge_first_tokens_of_all_their_runs(
    chat: Workload, effective: EffectiveWorkload, stream: tuple[np.ndarray, np.ndarray]
) -> None:
    run = ProbeRun(stream[0], chat, effective)
    pooled = joined_rows([run, run])
    assert first_token_times(pooled).tolist() == first_token_times(np.concatenate([run.requests] * 2)).tolist()
    verdict = judge_probe([run, run], parse_objectives("ttft_p99<30ms, tpot_p95<6ms"))
    assert "pass" == verdict.answer
    assert "4,000 first tokens" in verdict.reason
    assert "fail" == judge_probe([run], parse_objectives("ttft_p50<21ms")).answer
    assert 740 == requests_needed(parse_objectives("ttft_p99<30ms"))


def test_too_few_first_tokens_for_a_percentile_pass_by_the_share_over_the_limit(
    chat: Workload, effective: EffectiveWorkload, stream: tuple[np.ndarray, np.ndarray]
) -> None:
    run = ProbeRun(stream[0][:500], chat, effective)
    assert "pass" == judge_probe([run], parse_objectives("ttft_p99<30ms")).answer
