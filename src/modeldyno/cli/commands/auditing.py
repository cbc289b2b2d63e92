"""`dyno audit`."""

import argparse

from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode

DESCRIPTION = """Check an audit log (dyno serve --audit FILE): hashes chain all its lines, through all rotated files,
and for each process of the server. Finds the first place where lines were changed, added or taken out; exit code 3 when
there is one."""
EXAMPLES = """  dyno audit verify audit.jsonl
  dyno audit verify audit.jsonl --head 5f0c..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("action", choices=("verify",), help="what to do")
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="the log, with all files beside it that belong to it; or several: exactly these",
    )
    parser.add_argument(
        "--head",
        metavar="HASH",
        action="append",
        default=[],
        help="head of an earlier check, kept elsewhere: nothing was cut off up to there; once for each process",
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.auditing import verify_audit
    from modeldyno.reports.terminal.audit import format_audit

    report = verify_audit(arguments.files, heads=arguments.head)
    terminal.show(report, format_audit, as_json=arguments.json)
    return ExitCode.OK if report.broken is None else ExitCode.OBJECTIVE_FAILED
