from msgspec.structs import replace

from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.workload import EffectiveWorkload, Repeats, TraceSource, Workload
from modeldyno.stats.repeats import note_repeats

WORKLOAD = Workload(url="http://x", model="m", rate_per_s=1.0, requests=100, warmup_requests=0, seed=1)


def effective(questions: int | None, share: float | None) -> EffectiveWorkload:
    return EffectiveWorkload(
        connections=1,
        workers=1,
        client_cpu_fraction=0.1,
        server_cpu_ns=None,
        server_peak_memory_bytes=None,
        questions=questions,
        repeated_fraction=share,
    )


def activity(hits: int) -> ModelActivity:
    return ModelActivity(
        from_ns=0,
        to_ns=1,
        has_warmup=False,
        answered=1000,
        failed=0,
        rows=60,
        executions=60,
        rows_per_execution=1.0,
        total_ns=None,
        queue_ns=None,
        compute_input_ns=None,
        compute_infer_ns=None,
        compute_output_ns=None,
        cache_hits=hits,
    )


def asking(share: float) -> Workload:
    return replace(WORKLOAD, repeats=Repeats(share=share))


def test_a_share_as_asked_needs_no_note() -> None:
    assert [] == note_repeats(asking(0.3), effective(700, 0.31), None)


def test_more_repeats_than_asked_are_told_with_their_cause() -> None:
    (note,) = note_repeats(asking(0.3), effective(60, 0.94), None)
    assert note.startswith("94.0 % of the requests ask what was asked before, not 30.0 %: there are only 60 different")


def test_a_cache_that_a_load_which_goes_round_flattered_is_told() -> None:
    (note,) = note_repeats(WORKLOAD, effective(60, 0.94), activity(940))
    assert note.startswith("the server gave 940 answers from a cache: this load goes round 60 different requests")


def test_nothing_is_told_of_a_server_without_a_cache_nor_where_the_trace_says_what_repeats() -> None:
    trace = TraceSource(path="t.csv", digest="sha256:0", questions=60)
    assert [] == note_repeats(WORKLOAD, effective(60, 0.94), activity(0))
    assert [] == note_repeats(WORKLOAD, effective(60, 0.94), None)
    assert [] == note_repeats(replace(WORKLOAD, trace=trace), effective(60, 0.94), activity(940))
    assert [] == note_repeats(WORKLOAD, effective(None, None), activity(940))


def test_a_trace_with_more_questions_than_there_are_requests_is_told() -> None:
    trace = TraceSource(path="t.csv", digest="sha256:0", questions=5_000)
    (note,) = note_repeats(replace(WORKLOAD, trace=trace), effective(60, 0.94), None)
    assert note.startswith("the trace names 5,000 different questions, and only 60 different requests were sent")
