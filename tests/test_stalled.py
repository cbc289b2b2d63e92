import pytest

from tests.stalled import excuse


def test_a_failure_on_a_machine_that_is_stolen_from_is_excused_and_says_why() -> None:
    assert "the hypervisor gave 6.5% of the processor time to others meanwhile; what failed: 5 is not 6" == excuse(
        "5 is not 6", stolen=0.065, is_real_time=True
    )


@pytest.mark.parametrize(("stolen", "is_real_time"), ((0.0, True), (0.005, True), (None, True), (0.065, False)))
def test_any_other_failure_is_one(stolen: float | None, is_real_time: bool) -> None:  # noqa: FBT001 - a parameter
    assert excuse("5 is not 6", stolen=stolen, is_real_time=is_real_time) is None
