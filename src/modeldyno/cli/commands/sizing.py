"""`dyno capacity`."""

import argparse

from modeldyno.cli.arguments import add_ask, add_budget, ask_of
from modeldyno.cli.sending import add_pid, add_sending, sending_of
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.errors import ExitCode
from modeldyno.records.capacity import Capacity
from modeldyno.units import parse_duration_ns, parse_fraction, parse_rate_per_s

DESCRIPTION = """Find the highest rate at which a server meets its objectives: climb by doubling, narrow down, confirm
with a longer run. Each probe is a real open-loop run, judged pass, fail or undecided. Stopped with Ctrl-C, or out of
budget, it keeps the curve; the same command goes on."""
EXAMPLES = """  dyno capacity http://127.0.0.1:8000 --slo "p99<50ms, error_rate<0.1%"
  dyno capacity out/digits.bundle --data digits.npz --slo "p99<20ms" --budget 3m"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "target", metavar="TARGET", help="base URL of a server, or the directory of a bundle, which is then served"
    )
    parser.add_argument(
        "--slo",
        required=True,
        metavar="TEXT",
        help='what a rate must meet, such as "p99<50ms, error_rate<0.1%%"',
    )
    add_ask(parser)
    _add_search(parser)
    add_sending(parser, warmup="1s", before="each probe")
    add_pid(parser)
    parser.add_argument("--out", default="out", metavar="DIR", help="where MODEL.capacity and the report go (out)")
    parser.add_argument("--force", action="store_true", help="replace an earlier search of this model")


def _add_search(parser: argparse.ArgumentParser) -> None:
    rate, duration = typed(parse_rate_per_s), typed(parse_duration_ns)
    parser.add_argument(
        "--from", type=rate, default="50", metavar="N", dest="from_rate", help="rate of the first probe (50)"
    )
    parser.add_argument("--up-to", type=rate, metavar="N", help="try no higher rate")
    parser.add_argument(
        "--precision",
        type=typed(parse_fraction),
        default="5%",
        metavar="SHARE",
        help="wanted width of the answer (5%%)",
    )
    parser.add_argument("--probe", type=duration, default="3s", metavar="TIME", help="a first, short probe (3s)")
    parser.add_argument(
        "--longest-probe",
        type=duration,
        default="30s",
        metavar="TIME",
        help="measured time after which an undecided rate stays so (30s)",
    )
    add_budget(parser, "120s", "time for the whole search (120s)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.load.workloads import Shape
    from modeldyno.api.sizing import capacity
    from modeldyno.records.capacity import CapacitySettings
    from modeldyno.reports.terminal.capacity import capacity_text

    record = capacity(
        arguments.target,
        slo=arguments.slo,
        ask=ask_of(arguments),
        settings=CapacitySettings(
            from_per_s=arguments.from_rate,
            up_to_per_s=arguments.up_to,
            precision=arguments.precision,
            probe_ns=arguments.probe,
            longest_probe_ns=arguments.longest_probe,
            budget_ns=arguments.budget,
        ),
        shape=Shape(**sending_of(arguments)),
        out=arguments.out,
        force=arguments.force,
        server_pids=arguments.pid,
        progress=terminal,
    )
    terminal.show(record, capacity_text, as_json=arguments.json)
    return code_of_capacity(record)


def code_of_capacity(record: Capacity) -> ExitCode:
    """0 when a rate was found and confirmed, 3 when even the lowest fails, 4 when none can be told, 130 if stopped."""
    if record.outcome == "interrupted":
        return ExitCode.INTERRUPTED
    if record.outcome in ("found", "ceiling"):
        return ExitCode.OK
    return ExitCode.OBJECTIVE_FAILED if record.outcome == "none" else ExitCode.NOT_VALID
