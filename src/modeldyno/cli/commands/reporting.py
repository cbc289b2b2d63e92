"""`dyno report`."""

import argparse
from pathlib import Path

from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode, UsageError

DESCRIPTION = "Rebuild the offline HTML page of a stored run, search, comparison or capacity, on any machine."
EXAMPLES = """  dyno report out/digits.tune
  dyno report out/digits-20260101T120000.run --out load.html
  dyno report out/digits-20260101T120000.run --markdown"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source", metavar="DIR", help="what a verb left: .run, .tune, .compare or .capacity")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--out", metavar="FILE", help="page to write (default: beside the source, .html)")
    kind.add_argument("--markdown", action="store_true", help="print Markdown, and write no page")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.reporting import report, stored_markdown, stored_record, stored_text
    from modeldyno.records.files import to_json

    if arguments.markdown:
        if arguments.json:
            raise UsageError("--markdown and --json both print to stdout", hint="choose one of them")
        terminal.result(stored_markdown(Path(arguments.source)))
        return ExitCode.OK
    page = report(arguments.source, out=arguments.out)
    if arguments.json:
        terminal.record(to_json(stored_record(Path(arguments.source))))
    else:
        terminal.result(stored_text(Path(arguments.source)) + f"\nreport  {page}\n")
    return ExitCode.OK
