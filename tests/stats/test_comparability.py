from msgspec.structs import replace
from tests.reports.samples import ENVIRONMENT

from modeldyno.records.workload import Workload
from modeldyno.stats.comparability import environment_differences, workload_differences


def test_libraries_are_named_one_by_one() -> None:
    newer = replace(ENVIRONMENT, libraries={**ENVIRONMENT.libraries, "onnxruntime": "1.24.0", "torch": "2.9"})
    found = {one.name: (one.a, one.b) for one in environment_differences(ENVIRONMENT, newer)}
    assert {"libraries.onnxruntime": ("1.23.2", "1.24.0"), "libraries.torch": ("none", "2.9")} == found


def test_the_load_of_the_neighbours_is_no_difference_and_the_processor_is() -> None:
    other = replace(ENVIRONMENT, load_average_1min=9.0, cpu_model="other", cores_quota=None)
    found = environment_differences(ENVIRONMENT, other)
    assert ["cpu_model", "cores_quota"] == [one.name for one in found]
    assert not any(one.forbids_verdict for one in found)


def test_another_rate_forbids_a_verdict_and_another_length_does_not(workload: Workload) -> None:
    other = replace(
        workload, url="http://elsewhere", seed=2, rate_per_s=600.0, requests=99, arrivals="constant", awake=True
    )
    found = {one.name: one.forbids_verdict for one in workload_differences(workload, other)}
    assert {"arrivals": True, "rate_per_s": True, "requests": False, "awake": False} == found
