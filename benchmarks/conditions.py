"""Where and when something was measured, how far its rounds are apart, and where the result is kept."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modeldyno.clock import SystemClock

RESULTS = Path(__file__).parent / "results"


def conditions(rounds: int) -> dict[str, Any]:
    """The machine, the versions of ours, and how busy the machine was before the start."""
    return {
        "date": SystemClock().wall_time(),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("modeldyno", "httptools", "uvloop", "numpy")},
        "load_average": os.getloadavg()[0],
        "rounds": rounds,
    }


def cpu_model() -> str:
    """As the kernel calls it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def two_cores() -> tuple[int, int]:
    """One for the server and one for the client; the same when there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def heading(title: str, where: Mapping[str, Any], *sentences: str) -> list[str]:
    """The first lines of a result in Markdown."""
    ours = _versions(where["versions"])
    return [
        f"# {title}",
        "",
        f"{where['date']}, {where['cpu']}, {where['cores']} cores, Python {where['python']}; {ours}.",
        f"Median [least, most] of {where['rounds']} rounds, in turns; load average {where['load_average']:.1f} before.",
        *([f"modeldyno is {where['ours']}."] if where.get("ours") else []),
        *([f"Peers: {_versions(where['peers'])}."] if where.get("peers") else []),
        *sentences,
        "",
    ]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """`median [least, most]` over the rounds, `-` without any."""
    if not values:
        return "-"
    return f"{statistics.median(values):,.{digits}f} [{min(values):,.{digits}f}, {max(values):,.{digits}f}]"


def _versions(numbers: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def median_of(values: Sequence[float]) -> float | None:
    """The median, None of nothing."""
    return statistics.median(values) if values else None


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table and an empty line."""
    lines = [list(columns), ["---"] * len(columns), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def against_bars(measured: Sequence[tuple[str, float | None, float, str]]) -> list[str]:
    """One line for each `(what, value, bar, "at least" or "at most")`: met, missed, or not measured."""
    lines = ["## Against the bars", ""]
    for what, value, bar, direction in measured:
        if value is None:
            lines.append(f"- {what}: not measured, asked {direction} {bar:,g}")
        else:
            met = value >= bar if direction == "at least" else value <= bar
            lines.append(f"- {what}: {value:,.5g}, asked {direction} {bar:,g}: {'met' if met else 'missed'}")
    return [*lines, ""]


def keep(name: str, lines: Sequence[str], document: Mapping[str, Any]) -> None:
    """Print the tables, and keep them and the raw rounds as `results/NAME.md` and `.json`."""
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
