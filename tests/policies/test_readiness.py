"""`modeldyno.policies.readiness`."""

from hypothesis import given
from hypothesis import strategies as st

from modeldyno.policies.readiness import FAILURES, FORGET_NS, Outcomes, Pulse, late_ns, trouble_of

IDLE = Pulse(is_busy=False)
moments = st.integers(0, 10**12)


def failed(times: int, *, of_sample: bool = False, at_ns: int = 1000) -> Outcomes:
    outcomes = Outcomes()
    for _ in range(times):
        outcomes = outcomes.after_failure(at_ns, of_sample=of_sample)
    return outcomes


def trouble(pulses: list[Pulse], outcomes: Outcomes, *, has_sample: bool = True, now_ns: int = 2000) -> str | None:
    return trouble_of(pulses, outcomes, has_sample=has_sample, now_ns=now_ns)


def test_a_model_that_was_never_asked_is_ready() -> None:
    assert trouble([IDLE], Outcomes()) is None


def test_a_model_without_a_working_instance_is_not_ready() -> None:
    assert trouble([], Outcomes()) == "every instance of the model hangs"


@given(st.lists(st.tuples(st.booleans(), moments), min_size=1), moments)
def test_one_instance_that_is_idle_or_in_time_is_enough(instances: list[tuple[bool, int]], now_ns: int) -> None:
    pulses = [Pulse(busy, late) for busy, late in instances]
    is_ready = any(not busy or now_ns <= late for busy, late in instances)
    assert is_ready == (trouble(pulses, Outcomes(), now_ns=now_ns) is None)


@given(moments, st.integers(0, 10**12))
def test_a_batch_is_late_after_it_should_be_done_and_before_its_instance_is_given_up(due_ns: int, more_ns: int) -> None:
    assert due_ns <= late_ns(due_ns, due_ns + more_ns) <= due_ns + more_ns


@given(st.integers(0, 20))
def test_failures_alone_do_not_condemn_a_model_that_has_a_sample(times: int) -> None:
    assert trouble([IDLE], failed(times)) is None
    assert failed(times).is_doubtful == (times >= FAILURES)


def test_a_model_whose_own_sample_fails_after_others_is_not_ready_until_something_succeeds() -> None:
    outcomes = failed(FAILURES).after_failure(1500, of_sample=True)
    assert trouble([IDLE], outcomes) == "4 batches in a row failed, the model's own sample among them"
    assert trouble([IDLE], outcomes, now_ns=10**15) is not None
    assert trouble([IDLE], outcomes._replace(succeeded_ns=1501)) is None


def test_a_model_without_a_sample_is_judged_by_its_failures_and_gets_another_chance_after_a_while() -> None:
    outcomes = failed(FAILURES, at_ns=1000)
    assert trouble([IDLE], outcomes, has_sample=False) == "3 batches in a row failed"
    assert trouble([IDLE], outcomes, has_sample=False, now_ns=1000 + FORGET_NS) is None
    again = outcomes.after_failure(1001 + FORGET_NS, of_sample=False)
    assert trouble([IDLE], again, has_sample=False, now_ns=1002 + FORGET_NS) == "4 batches in a row failed"


@given(st.lists(st.sampled_from("FSx"), max_size=30))
def test_only_failures_since_the_last_success_count(story: list[str]) -> None:
    """F: a request failed, S: the sample failed, x: something succeeded."""
    outcomes = Outcomes()
    for moment_ns, event in enumerate(story, 1):
        if event == "x":
            outcomes = outcomes._replace(succeeded_ns=moment_ns)
        else:
            outcomes = outcomes.after_failure(moment_ns, of_sample=event == "S")
    since = "".join(story).rpartition("x")[2]
    assert (len(since) >= FAILURES) == outcomes.is_doubtful
    assert (len(since) >= FAILURES and "S" in since) == (trouble([IDLE], outcomes, now_ns=len(story)) is not None)
