"""`dyno doctor`."""

import argparse

from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode
from modeldyno.machine.floors import FLOOR_PROTOCOLS

DESCRIPTION = """Show the machine as a measurement sees it (cores, cgroup, CPU flags), the installed runtimes, and what
the load generator itself costs against a server that does nothing."""
EXAMPLES = """  dyno doctor
  dyno doctor --protocol oip
  dyno doctor --no-floor --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--no-floor", action="store_true", help="leave out the measurement (twenty seconds a protocol)")
    parser.add_argument(
        "--protocol",
        action="append",
        choices=FLOOR_PROTOCOLS,
        help=f"measure this one only; may be repeated (default: all: {', '.join(FLOOR_PROTOCOLS)})",
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.checkup import doctor
    from modeldyno.records.files import to_json
    from modeldyno.reports.terminal.checkup import checkup_text

    checkup = doctor(floor=not arguments.no_floor, protocols=arguments.protocol or FLOOR_PROTOCOLS, progress=terminal)
    if arguments.json:
        terminal.record(to_json(checkup))
    else:
        terminal.result(checkup_text(checkup))
    return ExitCode.OK
