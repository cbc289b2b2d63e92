from collections.abc import Iterator
from typing import Any

from environments import NotInstallableError
from running import ClientError
from turns import Turn, figures, ratios, take_turns


def test_a_ratio_compares_turns_of_the_same_round() -> None:
    rates = {"ours": iter((40.0, 60.0)), "theirs": iter((10.0, 20.0))}

    def measure(name: str) -> dict[str, Any]:
        return {"rate": next(rates[name])}

    turns = [Turn("ours", "loop", lambda: measure("ours")), Turn("theirs", "loop", lambda: measure("theirs"))]
    found, missing = take_turns(2, turns)

    assert {} == missing
    assert [40.0, 60.0] == figures(found, "ours", "loop", "rate")
    assert [4.0, 3.0] == ratios(found, "ours", "theirs", "loop", "rate")


def test_a_client_that_cannot_be_installed_is_named_and_not_tried_again() -> None:
    tries = []

    def measure() -> dict[str, Any]:
        tries.append(1)
        raise NotInstallableError("no network")

    found, missing = take_turns(3, [Turn("theirs", "loop", measure)])

    assert [] == found
    assert {"theirs": "cannot be installed here: no network"} == missing
    assert [1] == tries


def test_a_turn_that_fails_once_goes_on_and_is_named() -> None:
    def outcomes() -> Iterator[float]:
        yield 1.0
        raise ClientError("it ended early")

    values: list[Iterator[float]] = [outcomes(), iter((2.0, 3.0))]
    first = values[0]

    def measure() -> dict[str, Any]:
        try:
            return {"rate": next(first)}
        except StopIteration:
            return {"rate": next(values[1])}

    found, missing = take_turns(3, [Turn("theirs", "loop", measure)])

    assert [1.0, 2.0] == figures(found, "theirs", "loop", "rate")
    assert {"theirs, loop": "failed in round 2: it ended early"} == missing
