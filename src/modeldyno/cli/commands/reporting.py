"""`dyno report`."""

import argparse
from pathlib import Path

from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode

DESCRIPTION = "Rebuild the offline HTML page of a stored run or search from its records, on any machine."
EXAMPLES = """  dyno report out/digits.tune
  dyno report out/digits-20260101T120000.run --out load.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source", metavar="DIR", help="directory of a run (.run) or of a search (.tune)")
    parser.add_argument("--out", metavar="FILE", help="page to write (default: beside the source, .html)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.reporting import report, stored_record, stored_text
    from modeldyno.records.files import to_json

    page = report(arguments.source, out=arguments.out)
    if arguments.json:
        terminal.record(to_json(stored_record(Path(arguments.source))))
    else:
        terminal.result(stored_text(Path(arguments.source)) + f"\nreport  {page}\n")
    return ExitCode.OK
