import resource
from collections.abc import Iterator

import pytest

from modeldyno.errors import UsageError
from modeldyno.loadgen.descriptors import allow_descriptors


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """The limit on open files, and what it was set to."""
    now = [(256, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: now[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: now.append(pair))
    return iter([now])


def test_a_soft_limit_is_raised_as_far_as_needed(limits: Iterator[list[tuple[int, int]]]) -> None:
    now = next(limits)
    allow_descriptors(1000)

    assert [(256, 4096), (1064, 4096)] == now


def test_a_limit_that_is_high_enough_is_left_alone(limits: Iterator[list[tuple[int, int]]]) -> None:
    now = next(limits)
    allow_descriptors(100)

    assert [(256, 4096)] == now


def test_a_hard_limit_that_is_too_low_is_refused_with_the_command_that_raises_it(
    limits: Iterator[list[tuple[int, int]]],
) -> None:
    with pytest.raises(UsageError, match="4,096 open files") as caught:
        allow_descriptors(5000)

    assert "ulimit -n 5064" in caught.value.hint
