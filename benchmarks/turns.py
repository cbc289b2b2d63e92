"""Clients measured in turns, so that whatever changes on the machine meanwhile meets them all."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from conditions import spread
from environments import NotInstallableError
from running import ClientError

from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction

_MOST_FAILURES = 2


class Turn(NamedTuple):
    """One client at one task."""

    client: str
    task: str
    measure: Callable[[], dict[str, Any]]
    """Raises NotInstallableError, or ClientError or OSError when it failed."""


def take_turns(rounds: int, turns: Sequence[Turn]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every turn once a round.

    Returns:
        What was measured, with `round`, `client`, `task` and `stolen`, the share of the machine's processor time that
        its hypervisor gave to others meanwhile (None where the kernel does not tell). And of each client or turn that
        is missing somewhere, why: one that cannot be installed is not tried again, nor a turn that failed twice.
    """
    found: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    failures: Counter[str] = Counter()
    for number in range(1, rounds + 1):
        for turn in turns:
            label = f"{turn.client}, {turn.task}"
            if turn.client in missing or failures[label] >= _MOST_FAILURES:
                continue
            before = ProcessorTime.read()
            try:
                measured = turn.measure()
            except NotInstallableError as problem:
                missing[turn.client] = f"cannot be installed here: {problem}"
            except (ClientError, OSError) as problem:
                print(f"{label}: {problem}", flush=True)
                failures[label] += 1
                missing[label] = f"failed in round {number}: {problem}"
            else:
                stolen = stolen_fraction(before, ProcessorTime.read())
                about = {"round": number, "client": turn.client, "task": turn.task, "stolen": stolen}
                found.append({**about, **measured})
        print(f"round {number} of {rounds}", flush=True)
    return found, missing


def figures(found: Sequence[dict[str, Any]], client: str, task: str, key: str) -> list[float]:
    """One figure of one client at one task, round by round."""
    return [one[key] for one in found if (one["client"], one["task"]) == (client, task)]


def ratios(found: Sequence[dict[str, Any]], ours: str, other: str, task: str, key: str) -> list[float]:
    """Ours over the other's, of the same round."""
    own = {one["round"]: one[key] for one in found if (one["client"], one["task"]) == (ours, task)}
    return [
        own[one["round"]] / one[key]
        for one in found
        if (one["client"], one["task"]) == (other, task) and one["round"] in own
    ]


def stolen_lines(found: Sequence[dict[str, Any]]) -> list[str]:
    """What the hypervisor took during the turns, where it can be told, and an empty line."""
    shares = [100 * one["stolen"] for one in found if one["stolen"] is not None]
    if not shares:
        return []
    return [f"- Processor time that the hypervisor gave to others during a turn: {spread(shares, 1)} %", ""]


def missing_lines(missing: dict[str, str]) -> list[str]:
    """One line for each, and an empty one."""
    return [*(f"- Not compared: {name}: {why}" for name, why in missing.items()), ""]
