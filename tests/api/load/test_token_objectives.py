import pytest

from modeldyno.api.load.questions.prompts import Prompts
from modeldyno.api.load.token_objectives import check_token_objectives, refuse_token_objectives
from modeldyno.api.sizing import capacity
from modeldyno.api.tuning import tune
from modeldyno.errors import ObjectiveError
from modeldyno.records.objective import parse_objectives
from modeldyno.records.workload import ProtocolName


def test_limits_on_tokens_are_kept_in_the_units_of_the_inside() -> None:
    ttft, itl, tpot, rate = parse_objectives("ttft_p99<500ms, itl_p99.9<=50ms, tpot_mean<30ms, tokens_per_s>1k/s")
    assert (500_000_000, 50_000_000, 30_000_000, 1000.0) == (ttft.limit, itl.limit, tpot.limit, rate.limit)
    assert ("token_latency", "token_rate") == (ttft.kind, rate.kind)
    assert all(one.is_about_tokens for one in (ttft, itl, tpot, rate))
    assert (False, True) == (itl.higher_is_better, rate.higher_is_better)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    (("ttft<500ms", "ttft_"), ("tokens_per_s<5", "tokens_per_s>="), ("ttft_p99<5", "ms"), ("tttf_p99<5ms", "ttft_p99")),
)
def test_what_is_no_limit_on_tokens_is_put_right(wrong: str, hint: str) -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_objectives(wrong)
    assert hint in caught.value.hint


@pytest.mark.parametrize("protocol", ("oip", "http", "openai-embeddings", "null"))
def test_a_load_without_generated_tokens_refuses_limits_on_them(protocol: ProtocolName) -> None:
    for slo in ("ttft_p99<1s", "tokens_per_s>1"):
        with pytest.raises(ObjectiveError, match=protocol):
            check_token_objectives(parse_objectives(slo), protocol)
    check_token_objectives(parse_objectives("p99<1s, error_rate<1%"), protocol)


def test_answers_in_one_piece_have_a_rate_of_tokens_but_no_times() -> None:
    whole = Prompts(streams=False)
    check_token_objectives(parse_objectives("tokens_per_s>1"), "openai-chat", whole)
    with pytest.raises(ObjectiveError, match="in one piece"):
        check_token_objectives(parse_objectives("tpot_p99<1s"), "openai-chat", whole)
    check_token_objectives(parse_objectives("tpot_p99<1s"), "openai-chat", Prompts())


def test_verbs_that_load_no_language_model_refuse_limits_on_tokens() -> None:
    with pytest.raises(ObjectiveError, match="tune cannot judge"):
        tune("nowhere.skops", slo="ttft_p99<1s", rate_per_s=1.0)
    refuse_token_objectives(parse_objectives("p99<1s"), verb="tune")


@pytest.mark.parametrize("slo", ("itl_p99<50ms", "tokens_per_s>100"))
def test_a_capacity_refuses_what_it_does_not_look_at(slo: str) -> None:
    with pytest.raises(ObjectiveError, match="capacity cannot be judged") as caught:
        capacity("http://127.0.0.1:1", slo=slo)
    assert slo.startswith("tokens") or "tpot_p99<50ms" in caught.value.hint
