"""`dyno doctor`."""

import argparse

from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode
from modeldyno.machine.floors import FLOOR_PROTOCOLS

DESCRIPTION = """Show the machine as a measurement sees it (cores, cgroup, CPU flags), the installed runtimes, and what
the load generator itself costs against a server that does nothing. Shows, too, how much processor time the hypervisor
took meanwhile, and how late a sender is that sleeps between its sends, and one that stays awake (dyno load --awake)."""
EXAMPLES = """  dyno doctor
  dyno doctor --protocol oip
  dyno doctor --no-floor --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--no-floor", action="store_true", help="leave out all that is measured (twenty seconds a protocol, and ten)"
    )
    parser.add_argument(
        "--only-peaks",
        action="store_true",
        help="renew what the machine computes and moves at most, for dyno profile, and nothing else (some seconds)",
    )
    parser.add_argument(
        "--protocol",
        action="append",
        choices=FLOOR_PROTOCOLS,
        help=f"measure this one only; may be repeated (default: all: {', '.join(FLOOR_PROTOCOLS)})",
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.checkup import doctor
    from modeldyno.reports.terminal.checkup import checkup_text

    checkup = doctor(
        floor=not (arguments.no_floor or arguments.only_peaks),
        protocols=arguments.protocol or FLOOR_PROTOCOLS,
        peaks=arguments.only_peaks or not arguments.no_floor,
        progress=terminal,
    )
    terminal.show(checkup, checkup_text, as_json=arguments.json)
    return ExitCode.OK
