"""What fails too often is left alone, for longer and longer, until it does well."""

from hypothesis import given
from hypothesis import strategies as st

from modeldyno.policies.circuit import Circuit


def circuit_of(most_failures: int = 3) -> Circuit:
    return Circuit(most_failures=most_failures, first_wait_ns=10, longest_wait_ns=70)


def test_it_stays_closed_while_failures_do_not_follow_one_another() -> None:
    circuit = circuit_of()
    told = []
    for _ in range(10):
        told += [circuit.fail(), circuit.fail()]
        circuit.succeed()
    assert [False] * 20 == told


def test_it_opens_at_so_many_failures_in_a_row() -> None:
    circuit = circuit_of()
    assert [False, False, True] == [circuit.fail() for _ in range(3)]


def test_it_waits_twice_as_long_each_time_up_to_a_limit() -> None:
    circuit = circuit_of()
    moments = []
    for _ in range(5):
        moments.append(circuit.trip(1000))
        circuit.close()
    assert [1010, 1020, 1040, 1070, 1070] == moments


def test_after_a_try_a_single_failure_opens_it_again() -> None:
    circuit = circuit_of()
    circuit.trip(0)
    circuit.close()
    assert circuit.fail()


def test_being_reachable_is_no_success_but_an_answer_is() -> None:
    circuit = circuit_of()
    circuit.trip(0)
    circuit.close()
    assert 20 == circuit.trip(0)
    circuit.close()
    circuit.succeed()
    assert [False, False, True] == [circuit.fail() for _ in range(3)]
    assert 10 == circuit.trip(0)


@given(st.lists(st.sampled_from(["succeed", "fail", "try"]), max_size=60))
def test_the_wait_is_always_between_the_first_and_the_longest(steps: list[str]) -> None:
    circuit = circuit_of()
    for step in steps:
        if step == "succeed":
            circuit.succeed()
        elif step == "fail":
            circuit.fail()
        else:
            assert 110 <= circuit.trip(100) <= 170
            circuit.close()
