import pytest

from modeldyno.api import loading
from modeldyno.api.load import workloads
from modeldyno.errors import ObjectiveError, UsageError


def test_a_load_without_a_single_request_is_refused() -> None:
    with pytest.raises(UsageError, match="holds no request"):
        workloads.workload_of("http://x", "m", 0.1, workloads.Shape(duration_ns=1_000_000_000))


@pytest.mark.parametrize(
    "shape", (workloads.Shape(rows_per_request=0), workloads.Shape(connections=0), workloads.Shape(workers=-1))
)
def test_counts_below_one_are_refused(shape: workloads.Shape) -> None:
    with pytest.raises(UsageError, match=r"at least 1|cannot be -1"):
        workloads.workload_of("http://x", "m", 10, shape)


def test_a_number_of_requests_replaces_the_duration() -> None:
    assert 7 == workloads.workload_of("http://x", "m", 10, workloads.Shape(requests=7)).requests


def test_quality_objectives_point_to_evaluate() -> None:
    with pytest.raises(ObjectiveError) as caught:
        loading.speed_objectives("accuracy>=90%")
    assert "dyno evaluate" in caught.value.hint
