"""`dyno keys`."""

import argparse
from functools import partial

from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.errors import ExitCode, UsageError
from modeldyno.units import parse_duration_ns, parse_rate_per_s

DESCRIPTION = """API keys of a server: create one, list all, revoke one. A running server (dyno serve --keys FILE)
follows the file within a second. A key's secret is shown once and stored nowhere."""
EXAMPLES = """  dyno keys create keys.db --name ci --allow "digits:infer,metadata" --expires 90d --rows-per-s 500
  dyno keys create keys.db --name operator --allow "*:infer,metadata,statistics,metrics,admin"
  dyno keys list keys.db
  dyno keys revoke keys.db kd4x2qpa"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("action", choices=("create", "list", "revoke"), help="what to do")
    parser.add_argument("file", metavar="FILE", help="the key file; create makes it")
    parser.add_argument("key", metavar="KEY", nargs="?", help="revoke: id of the key")
    create = parser.add_argument_group("create")
    create.add_argument("--name", help="whom or what the key is for")
    create.add_argument(
        "--allow",
        action="append",
        metavar="SCOPE",
        help="models and verbs: 'team-*:infer,metadata'; several times for more (*:infer,metadata)",
    )
    create.add_argument(
        "--expires", type=typed(parse_duration_ns), metavar="TIME", help="how long it is good for: 12h, 90d (for ever)"
    )
    create.add_argument(
        "--rows-per-s", type=typed(parse_rate_per_s), metavar="N", help="rows a second in the long run (no limit)"
    )
    create.add_argument("--burst", type=int, metavar="N", help="rows at once under --rows-per-s (those of one second)")
    create.add_argument("--rows-per-day", type=int, metavar="N", help="rows answered in a UTC day (no limit)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    if arguments.action == "create":
        _create(arguments, terminal)
    elif arguments.action == "list":
        _list(arguments, terminal)
    else:
        _revoke(arguments, terminal)
    return ExitCode.OK


def _create(arguments: argparse.Namespace, terminal: Terminal) -> None:
    from modeldyno.api.keys import DEFAULT_SCOPES, create_key
    from modeldyno.reports.terminal.keys import format_new_key

    if arguments.name is None or arguments.key is not None:
        raise UsageError("a new key needs a name", hint=f"dyno keys create {arguments.file} --name NAME")
    made = create_key(
        arguments.file,
        arguments.name,
        allow=arguments.allow or DEFAULT_SCOPES,
        expires_in_ns=arguments.expires,
        rows_per_s=arguments.rows_per_s,
        burst_rows=arguments.burst,
        rows_per_day=arguments.rows_per_day,
    )
    terminal.show(made, partial(format_new_key, file=arguments.file), as_json=arguments.json)


def _list(arguments: argparse.Namespace, terminal: Terminal) -> None:
    from modeldyno.api.keys import list_keys
    from modeldyno.clock import SystemClock
    from modeldyno.reports.terminal.keys import format_keys

    listed = list_keys(arguments.file)
    terminal.show(listed, partial(format_keys, now=SystemClock().wall_time()), as_json=arguments.json)


def _revoke(arguments: argparse.Namespace, terminal: Terminal) -> None:
    from modeldyno.api.keys import revoke_key

    if arguments.key is None:
        raise UsageError("no key is named", hint=f"dyno keys list {arguments.file} shows their ids")
    revoked = revoke_key(arguments.file, arguments.key)
    terminal.show(
        revoked,
        lambda one: f"revoked {one.id} ({one.name}) at {one.revoked_at}; servers know within a second",
        as_json=arguments.json,
    )
