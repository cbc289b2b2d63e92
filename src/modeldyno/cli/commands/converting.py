"""`dyno convert`."""

import argparse

from modeldyno.cli.arguments import add_budget, add_data, add_model, add_task
from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode

DESCRIPTION = """Convert a model to ONNX or to OpenVINO. Its answers are compared with those of the model as it came,
row by row, its quality too where the data have labels, and both are timed in turns."""
EXAMPLES = """  dyno convert digits.skops --to onnx --out digits.onnx --data digits.npz
  dyno convert model.onnx --to openvino --out model.xml
  dyno convert old.pkl --trust --to onnx --out old.onnx --requirements requirements.txt"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_model(parser)
    parser.add_argument("--to", required=True, choices=("onnx", "openvino"), help="the format to convert to")
    parser.add_argument("--out", required=True, metavar="FILE", help="where it goes: .onnx, or .xml with a .bin beside")
    add_data(parser)
    add_budget(parser, "10s", "time to measure the speed (10s)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument(
        "--environment", action="store_true", help="do it in an environment of its own, with what the format needs"
    )
    parser.add_argument(
        "--requirements",
        metavar="FILE",
        help="what that environment holds instead: scikit-learn==1.5.2, ...",
    )
    add_task(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.converting import convert
    from modeldyno.reports.terminal.derivation import conversion_text

    found = convert(
        arguments.model,
        to=arguments.to,
        out=arguments.out,
        data=arguments.data,
        label=arguments.label,
        budget_ns=arguments.budget,
        trust=arguments.trust,
        force=arguments.force,
        environment=arguments.environment,
        requirements=arguments.requirements,
        task=arguments.task,
        progress=terminal,
    )
    terminal.show(found, conversion_text, as_json=arguments.json)
    return ExitCode.OK
