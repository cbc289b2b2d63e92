"""`dyno inspect`."""

import argparse

from modeldyno.cli.arguments import add_model, add_task
from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode

DESCRIPTION = "Say what a model file is: format, inputs and outputs, task, size, where it came from."
EXAMPLES = """  dyno inspect digits.skops
  dyno inspect model.onnx --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_model(parser)
    add_task(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.inspection import inspect
    from modeldyno.records.files import to_json
    from modeldyno.reports.terminal.model import model_text

    model = inspect(arguments.model, trust=arguments.trust, task=arguments.task)
    if arguments.json:
        terminal.record(to_json(model))
    else:
        terminal.result(model_text(model))
    return ExitCode.OK
