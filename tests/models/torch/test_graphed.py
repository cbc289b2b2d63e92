"""Which batches replay a recording and which are computed without one; a fake stands in for the GPU."""

from typing import Any

import pytest

from modeldyno.models.torch.graphed import GraphedProgram, Recording, can_be_recorded
from modeldyno.records.signature import Signature, TensorSpec

torch: Any = pytest.importorskip("torch")


class FakeGpu:
    """Records by keeping the program: a replay computes it again, from and into the same memory."""

    def __init__(self) -> None:
        self.recorded: list[int] = []
        self.replayed: list[int] = []

    def __call__(self, program: Any, inputs: list[Any]) -> Recording:
        outputs = program(*inputs)
        rows = len(inputs[0])
        self.recorded.append(rows)

        def replay() -> None:
            self.replayed.append(rows)
            again = program(*inputs)
            pairs = (
                [(outputs[name], again[name]) for name in again]
                if isinstance(again, dict)
                else zip(outputs, again, strict=True)
                if isinstance(again, tuple)
                else [(outputs, again)]
            )
            for place, values in pairs:
                place.copy_(values)

        return Recording(inputs, outputs, replay)


def graphed(gpu: FakeGpu, program: Any = lambda x: x * 2) -> GraphedProgram:
    return GraphedProgram(program, lambda rows: [torch.ones(rows, 3)], gpu, sizes=(1, 2, 4))


def rows(count: int, start: int = 0) -> Any:
    return torch.arange(start, start + count * 3, dtype=torch.float32).reshape(count, 3)


def test_the_largest_is_recorded_first_so_that_the_others_fit_into_its_memory() -> None:
    gpu = FakeGpu()
    graphed(gpu)
    assert [4, 2, 1] == gpu.recorded


@pytest.mark.parametrize(("count", "replayed"), ((1, [1]), (2, [2]), (3, [4]), (4, [4]), (5, []), (0, [])))
def test_a_batch_takes_the_next_larger_recording_or_none(count: int, replayed: list[int]) -> None:
    gpu = FakeGpu()
    found = graphed(gpu)(rows(count))
    assert replayed == gpu.replayed
    assert (rows(count) * 2).tolist() == found.tolist()


def test_an_answer_stays_when_the_next_batch_is_computed() -> None:
    program = graphed(FakeGpu())
    first = program(rows(2))
    program(rows(2, start=100))
    assert (rows(2) * 2).tolist() == first.tolist()


def test_rows_that_fill_up_are_rows_of_the_same_batch() -> None:
    seen: list[Any] = []

    def program(x: Any) -> Any:
        seen.append(x.clone())
        return x + 1

    replaying = graphed(FakeGpu(), program)
    replaying(rows(4, start=500))
    replaying(rows(3))
    assert [*rows(3).tolist(), rows(3)[-1].tolist()] == seen[-1].tolist()


def test_several_outputs_are_cut_like_one() -> None:
    listed = graphed(FakeGpu(), lambda x: (x * 2, x.sum(-1)))(rows(3))
    named = graphed(FakeGpu(), lambda x: {"twice": x * 2})(rows(3))
    assert [(rows(3) * 2).tolist(), rows(3).sum(-1).tolist()] == [one.tolist() for one in listed]
    assert (rows(3) * 2).tolist() == named["twice"].tolist()


@pytest.mark.parametrize(
    ("shapes", "expected"),
    (
        ((("batch", 3), ("batch", 2)), True),
        ((("batch", "sequence"), ("batch", 2)), False),
        ((("batch", 3), ("batch", "boxes")), False),
        (((4, 3), (4, 2)), False),
    ),
)
def test_only_what_varies_in_its_rows_alone_can_be_recorded(
    shapes: tuple[tuple[int | str, ...], ...], *, expected: bool
) -> None:
    x, y = (TensorSpec(name=name, datatype="FP32", shape=shape) for name, shape in zip("xy", shapes, strict=True))
    assert expected == can_be_recorded(Signature(inputs=(x,), outputs=(y,)))
