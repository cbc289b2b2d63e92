"""What our session adds to ONNX Runtime's own Python call, on the digits model.

Blocks of calls take turns: our session, the runtime alone, and back. What is compared is processor time of this
process, which a neighbour on the machine takes no part of; the model computes in one thread.

Usage: python benchmarks/session_overhead.py [--rounds 60] [--calls 4000]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nets
from conditions import against_bars, conditions, heading, keep, spread, table

from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_calls import onnx_calls
from modeldyno.stats.blocks import median_estimate

BAR_US = 3.0
ROWS = (1, 32)
WAYS = ("session", "direct")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=4_000)
    asked = parser.parse_args()
    where = conditions(asked.rounds)
    where["versions"]["onnxruntime"] = version("onnxruntime")
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), asked.rounds, asked.calls)
    keep("session_overhead", lines(where, found, asked.calls), {**where, "calls": asked.calls, "rounds_of": found})


def measured(folder: Path, rounds: int, calls: int) -> list[dict[str, Any]]:
    """Processor time of a call in µs, by way and rows, round by round."""
    net = nets.digits_net(folder)
    ways = {
        rows: onnx_calls(net.path, net.signature, SessionSettings(threads=1), {"x": net.row.repeat(rows, axis=0)})
        for rows in ROWS
    }
    found = []
    for number in range(rounds + 1):
        before = ProcessorTime.read()
        for rows, calling in ways.items():
            ordered = WAYS if number % 2 else WAYS[::-1]
            took = {way: cpu_us(calling[way], calls) for way in ordered}
            stolen = stolen_fraction(before, ProcessorTime.read())
            if number:  # the first round warms up
                found.append({"round": number, "rows": rows, "stolen": stolen, **took})
    return found


def cpu_us(call: Callable[[], object], calls: int) -> float:
    """Processor time of a call in µs, the mean of so many."""
    started = time.process_time_ns()
    for _ in range(calls):
        call()
    return (time.process_time_ns() - started) / calls / 1e3


def differences(found: Sequence[dict[str, Any]], rows: int) -> list[float]:
    """What our session adds, round by round, in µs."""
    return [one["session"] - one["direct"] for one in found if one["rows"] == rows]


def lines(where: dict[str, Any], found: Sequence[dict[str, Any]], calls: int) -> list[str]:
    """The result in Markdown."""
    rows = []
    for count in ROWS:
        own = [one for one in found if one["rows"] == count]
        ratios = [one["session"] / one["direct"] for one in own]
        middle = median_estimate(differences(found, count))
        sure = "-" if middle.low is None or middle.high is None else f"[{middle.low:.2f}, {middle.high:.2f}]"
        rows.append(
            (
                f"{count}",
                spread([one["session"] for one in own], 2),
                spread([one["direct"] for one in own], 2),
                spread(differences(found, count), 2),
                sure,
                spread(ratios, 3),
            )
        )
    stolen = [100 * one["stolen"] for one in found if one["stolen"] is not None]
    columns = ("rows", "our session, µs", "runtime alone, µs", "added, µs", "median of it, 95 %", "ratio")
    return [
        *heading(
            "Our session against ONNX Runtime alone",
            where,
            f"Digits model (64-128-10), one thread, processor time of a call, mean of {calls:,} calls a block.",
            *([f"The hypervisor gave {spread(stolen, 1)} % of the time to others."] if stolen else []),
        ),
        *table(columns, rows),
        *against_bars(
            [
                (
                    f"added to a call at batch {count}, µs",
                    statistics.median(differences(found, count)),
                    BAR_US,
                    "at most",
                )
                for count in ROWS
            ]
        ),
    ]


if __name__ == "__main__":
    main()
