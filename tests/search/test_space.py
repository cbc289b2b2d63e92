from hypothesis import given
from hypothesis import strategies as st

from modeldyno.search.space import batch_sizes, deployments, reference_deployment, thread_shapes
from tests.search.samples import artifact


@given(st.integers(1, 256))
def test_no_shape_asks_for_more_cores_than_there_are(cores: int) -> None:
    shapes = thread_shapes(cores)
    assert all(threads * instances <= cores for threads, instances in shapes)
    assert (1, 1) in shapes
    assert (cores, 1) in shapes
    assert len(shapes) == len(set(shapes))


def test_two_cores_are_one_lane_two_threads_or_two_instances() -> None:
    assert {(1, 1), (2, 1), (1, 2)} == set(thread_shapes(2))


def test_batches_double_up_to_64_and_need_a_batch_dimension() -> None:
    assert [1, 2, 4, 8, 16, 32, 64] == batch_sizes(can_batch=True)
    assert [1] == batch_sizes(can_batch=False)


def test_every_artifact_is_tried_in_its_runtimes_small_batches_first() -> None:
    runtimes = {"onnx": ("onnxruntime",), "sklearn": ("scikit-learn",)}
    found = deployments([artifact("original"), artifact("onnx-fp32")], runtimes, cores=2, can_batch=True)  # type: ignore[arg-type]
    assert 2 * 3 * 7 == len(found)
    assert reference_deployment("scikit-learn") == found[0]
    batches = [one.batching.max_rows for one in found]
    assert sorted(batches) == batches
