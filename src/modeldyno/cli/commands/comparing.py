"""`dyno compare`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from modeldyno.cli.arguments import add_ask, ask_of
from modeldyno.cli.sending import add_sending, sending_of
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.errors import ExitCode
from modeldyno.units import parse_duration_ns, parse_fraction, parse_rate_per_s

if TYPE_CHECKING:
    from modeldyno.api.load.turns import BlockPlan

DESCRIPTION = """Whether B is better or worse than A: two stored runs, or two targets (URLs of servers, directories of
bundles) that are loaded here in blocks that take turns. Each metric gets the ratio of B to A with its interval; what
else differs between the two is told first."""
EXAMPLES = """  dyno compare before.run after.run --max-regression 5%
  dyno compare http://127.0.0.1:8000 http://127.0.0.1:9000 --rate 500 --duration 20s --blocks 8
  dyno compare out/old.bundle out/new.bundle --rate 500 --data digits.npz --junit compare.xml"""
_ANSWERS = {"pass": ExitCode.OK, "fail": ExitCode.OBJECTIVE_FAILED, "cannot_tell": ExitCode.NOT_VALID}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    for name, order in (("a", "first: what is compared with"), ("b", "second: what may be better or worse")):
        parser.add_argument(name, metavar=name.upper(), help=f"the {order}; a run, a bundle or a URL")
    parser.add_argument(
        "--metric", default="p50,p99,throughput", metavar="LIST", help="what to compare (p50,p99,throughput)"
    )
    parser.add_argument(
        "--max-regression",
        type=typed(parse_fraction),
        default="5%",
        metavar="SHARE",
        help="how much worse B may be (5%%)",
    )
    parser.add_argument(
        "--margin", type=typed(parse_fraction), default="2%", metavar="SHARE", help="what counts as equal (2%%)"
    )
    add_ask(parser)
    live = parser.add_argument_group("targets")
    live.add_argument("--rate", type=typed(parse_rate_per_s), metavar="N", help="requests per second; targets need it")
    live.add_argument(
        "--duration",
        type=typed(parse_duration_ns),
        default="20s",
        metavar="TIME",
        help="load on each target, all its blocks together (20s)",
    )
    live.add_argument("--blocks", type=int, default=8, metavar="N", help="turns of each target, at least 4 (8)")
    live.add_argument("--out", metavar="DIR", help="directory of the blocks (default: out/TIME.compare)")
    add_sending(parser, warmup="500ms", before="each block")
    parser.add_argument("--report", metavar="FILE", help="write the offline HTML page of the comparison")
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit file with one test case a metric")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.comparing import compare
    from modeldyno.records.files import write_atomically
    from modeldyno.reports.junit import comparison_junit
    from modeldyno.reports.page.comparison_page import comparison_page
    from modeldyno.reports.terminal.comparison import comparison_text
    from modeldyno.stats.comparison import Terms

    found, directory = compare(
        arguments.a,
        arguments.b,
        terms=Terms(
            metrics=tuple(name.strip() for name in arguments.metric.split(",")),
            margin=arguments.margin,
            max_regression=arguments.max_regression,
        ),
        plan=_plan(arguments),
        out=arguments.out,
        progress=terminal,
    )
    if arguments.junit is not None:
        write_atomically(Path(arguments.junit), comparison_junit(found))
    if arguments.report is not None:
        write_atomically(Path(arguments.report), comparison_page(found).encode())
    kept = [f"blocks     {directory}"] if directory is not None else []
    kept += [f"report     {arguments.report}"] if arguments.report is not None else []
    kept += [f"next       dyno report {directory}"] if directory is not None and arguments.report is None else []
    beside = ["", *kept] if kept else []
    terminal.show(found, lambda one: "\n".join([comparison_text(one), *beside]), as_json=arguments.json)
    return ExitCode.INTERRUPTED if found.state == "interrupted" else _ANSWERS[found.regression]


def _plan(arguments: argparse.Namespace) -> "BlockPlan | None":
    from modeldyno.api.load.turns import BlockPlan
    from modeldyno.api.load.workloads import Shape

    if arguments.rate is None:
        return None
    return BlockPlan(
        rate_per_s=arguments.rate,
        blocks=arguments.blocks,
        ask=ask_of(arguments),
        shape=Shape(
            duration_ns=arguments.duration,
            **sending_of(arguments),
        ),
    )
