import pytest

from modeldyno.policies.sending import sending_processes


@pytest.mark.parametrize(
    ("rate", "highest", "cores", "expected"),
    (
        (500, 20_000, 8, 1), (10_000, 20_000, 8, 1), (10_001, 20_000, 8, 2), (100_000, 20_000, 8, 7),
        (100_000, 20_000, 2, 1), (100_000, 20_000, 1, 1), (0, 20_000, 8, 1), (5_001, None, 4, 2), (100, 0.0, 4, 1),
    ),
)  # fmt: skip
def test_as_few_processes_send_as_keep_up_easily(rate: float, highest: float | None, cores: int, expected: int) -> None:
    assert expected == sending_processes(rate, highest_per_s=highest, cores=cores)
