import pytest
from msgspec.structs import replace

from modeldyno.errors import UsageError
from modeldyno.policies.sending import check_awake, check_size, sending_processes
from modeldyno.records.workload import Workload

AWAKE = Workload(url="", model="", rate_per_s=1.0, requests=1, warmup_requests=0, seed=1, workers=2, awake=True)


@pytest.mark.parametrize(
    ("rate", "highest", "cores", "expected"),
    (
        (500, 20_000, 8, 1), (10_000, 20_000, 8, 1), (10_001, 20_000, 8, 2), (100_000, 20_000, 8, 7),
        (100_000, 20_000, 2, 1), (100_000, 20_000, 1, 1), (0, 20_000, 8, 1), (5_001, None, 4, 2), (100, 0.0, 4, 1),
    ),
)  # fmt: skip
def test_as_few_processes_send_as_keep_up_easily(rate: float, highest: float | None, cores: int, expected: int) -> None:
    assert expected == sending_processes(rate, highest_per_s=highest, cores=cores)


def test_as_many_processes_may_stay_awake_as_there_are_cores() -> None:
    check_awake(AWAKE, cores=2)
    with pytest.raises(UsageError, match="2 sending processes cannot stay awake on 1 core"):
        check_awake(AWAKE, cores=1)


def test_processes_that_sleep_may_be_more_than_the_cores() -> None:
    check_awake(replace(AWAKE, awake=False), cores=1)


def test_a_model_in_the_sending_process_cannot_share_it_with_a_sender_that_stays_awake() -> None:
    with pytest.raises(UsageError, match="in process cannot stay awake"):
        check_awake(replace(AWAKE, protocol="in-process", workers=1), cores=8)


def test_a_plan_whose_rows_do_not_fit_into_the_memory_is_refused_before_it_is_made() -> None:
    large = replace(AWAKE, requests=10**9, warmup_requests=10**6)
    check_size(large, memory_bytes=2**40)
    with pytest.raises(UsageError, match="1,001,000,000 requests does not fit") as caught:
        check_size(large, memory_bytes=2**34)
    assert "17.2 GB" in caught.value.why
    assert "--rate" in caught.value.hint
