"""`dyno profile`."""

import argparse
from pathlib import Path

from modeldyno.cli.arguments import add_budget, add_data, add_model
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.errors import ExitCode, UsageError

DESCRIPTION = """Measure in-process inference speed for batch sizes, threads and instances in interleaved blocks; then
cut a call open: layers, operators, how far they are from what this machine can do; first call and memory in fresh
processes."""
EXAMPLES = """  dyno profile digits.skops --data digits.npz
  dyno profile model.onnx --batch 1,8,32 --threads 1,2 --budget 30s --report profile.html
  dyno profile out/digits.bundle --markdown"""


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as problem:
        raise UsageError(f"{text!r} is not a list of whole numbers", hint="for example 1,8,32") from problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_model(parser, "model file or bundle")
    add_data(parser)
    parser.add_argument(
        "--batch", type=typed(_counts), default=[], metavar="N,N", help="rows per call (default: 1, 2, 4, ... 64)"
    )
    parser.add_argument(
        "--threads", type=typed(_counts), default=[], metavar="N,N", help="threads (default: 1, 2, ... cores)"
    )
    parser.add_argument(
        "--instances",
        type=typed(_counts),
        default=[],
        metavar="N,N",
        help="sessions at once, of one thread each (default: as many as cores)",
    )
    add_budget(parser, "20s", "time to measure (default: 20s)")
    parser.add_argument("--report", metavar="FILE", help="also write an offline HTML page")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of text")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.profiling import profile
    from modeldyno.records.files import write_atomically
    from modeldyno.reports.page.profile_page import profile_page
    from modeldyno.reports.profile_markdown import profile_markdown
    from modeldyno.reports.terminal.profile import profile_text

    if arguments.markdown and arguments.json:
        raise UsageError("--markdown and --json both print to stdout", hint="choose one of them")
    measured = profile(
        arguments.model,
        data=arguments.data,
        label=arguments.label,
        batches=arguments.batch,
        threads=arguments.threads,
        instances=arguments.instances,
        budget_ns=arguments.budget,
        trust=arguments.trust,
        progress=terminal,
    )
    if arguments.report:
        write_atomically(Path(arguments.report), profile_page(measured).encode())
    written = f"\nreport     {arguments.report}\n" if arguments.report else ""
    in_words = profile_markdown if arguments.markdown else lambda one: profile_text(one) + written
    terminal.show(measured, in_words, as_json=arguments.json)
    return ExitCode.INTERRUPTED if measured.state == "interrupted" else ExitCode.OK
