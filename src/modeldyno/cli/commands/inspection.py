"""`dyno inspect`."""

import argparse

from modeldyno.cli.arguments import add_model, add_task
from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode

DESCRIPTION = (
    "Say what a model file is: format, inputs and outputs, task, size, where it came from; or what a bundle holds."
)
EXAMPLES = """  dyno inspect digits.skops
  dyno inspect out/digits.bundle
  dyno inspect model.onnx --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_model(parser)
    add_task(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.inspection import inspect, inspect_bundle, is_bundle
    from modeldyno.reports.terminal.inspection import inspection_text
    from modeldyno.reports.terminal.model import model_text

    if is_bundle(arguments.model):
        found = inspect_bundle(arguments.model)
        terminal.show(found, inspection_text, as_json=arguments.json)
    else:
        model = inspect(arguments.model, trust=arguments.trust, task=arguments.task)
        terminal.show(model, model_text, as_json=arguments.json)
    return ExitCode.OK
