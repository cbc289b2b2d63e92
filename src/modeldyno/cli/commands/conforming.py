"""`dyno conform`."""

import argparse
from pathlib import Path

from modeldyno.cli.arguments import access_of, add_access, add_data
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.errors import ExitCode, UsageError
from modeldyno.units import parse_duration_ns

DESCRIPTION = """Hold a running server, of whatever make, against the rules of the Open Inference Protocol: each rule by
name, with what was asked, what was expected and what came. Small requests are sent, some broken on purpose; nothing is
loaded, unloaded or changed. Required rules decide the exit code; recommended ones and those of extensions inform."""
EXAMPLES = """  dyno conform http://127.0.0.1:8000
  dyno conform http://127.0.0.1:8080 --grpc grpc://127.0.0.1:8081 --model iris --data iris.csv
  dyno conform http://127.0.0.1:8000 --rule infer.binary --rule errors --json
  dyno conform http://127.0.0.1:8000 --junit conform.xml
  dyno conform --list"""
_ANSWERS = {"pass": ExitCode.OK, "fail": ExitCode.OBJECTIVE_FAILED, "cannot_tell": ExitCode.NOT_VALID}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("url", metavar="URL", nargs="?", help="base URL of the server; grpc://HOST:PORT for gRPC alone")
    parser.add_argument("--grpc", metavar="URL", help="check the gRPC form there too, such as grpc://127.0.0.1:8001")
    parser.add_argument("--model", metavar="NAME", help="model on the server (default: every one that it lists)")
    add_data(parser)
    parser.add_argument(
        "--rule", action="append", default=[], metavar="PREFIX", help="only rules that begin so; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="print all rules with their sources, and check nothing")
    parser.add_argument(
        "--timeout", type=typed(parse_duration_ns), default="5s", metavar="TIME", help="for each answer (5s)"
    )
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit file with one test case a rule")
    add_access(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.conforming import conform, conformance_rules
    from modeldyno.api.load.questions.ask import Ask
    from modeldyno.records.files import write_atomically
    from modeldyno.reports.conformance_junit import conformance_junit
    from modeldyno.reports.terminal.conformance import conformance_text, rules_text

    if arguments.list:
        rules = conformance_rules(arguments.rule)
        terminal.show(rules, rules_text, as_json=arguments.json)
        return ExitCode.OK
    if arguments.url is None:
        raise UsageError("no server is named", hint="dyno conform http://127.0.0.1:8000, or --list for the rules")
    found = conform(
        arguments.url,
        grpc_url=arguments.grpc,
        ask=Ask(access=access_of(arguments), model=arguments.model, data=arguments.data, label=arguments.label),
        rules=arguments.rule,
        timeout_ns=arguments.timeout,
        progress=terminal,
    )
    terminal.show(found, conformance_text, as_json=arguments.json)
    if arguments.junit is not None:  # last: a file that cannot be written must not take what was found with it
        write_atomically(Path(arguments.junit), conformance_junit(found))
    return ExitCode.INTERRUPTED if found.state == "interrupted" else _ANSWERS[found.answer]
