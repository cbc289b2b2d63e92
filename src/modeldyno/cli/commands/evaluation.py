"""`dyno evaluate`."""

import argparse

from modeldyno.cli.arguments import add_data, add_model, add_slo, add_task
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.verdicts import code_of_objectives

DESCRIPTION = (
    "Measure how right a model or bundle answers, with intervals, alone or against a reference on the same rows."
)
EXAMPLES = """  dyno evaluate digits.skops --data digits.npz
  dyno evaluate out/digits.bundle --data digits.npz --reference digits.skops --slo "accuracy_drop<=1%"
  dyno evaluate model.onnx --data test.csv --label species --slo "f1_macro>=95%" """


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_model(parser, "model file or bundle")
    add_data(parser, required=True)
    parser.add_argument("--reference", metavar="MODEL", help="model or bundle to compare with, row by row")
    add_slo(parser)
    add_task(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.evaluation import evaluate
    from modeldyno.records.files import to_json
    from modeldyno.reports.terminal.evaluation import evaluation_text

    evaluation = evaluate(
        arguments.model,
        data=arguments.data,
        label=arguments.label,
        reference=arguments.reference,
        slo=arguments.slo,
        trust=arguments.trust,
        task=arguments.task,
        progress=terminal,
    )
    if arguments.json:
        terminal.record(to_json(evaluation))
    else:
        terminal.result(evaluation_text(evaluation))
    return code_of_objectives(evaluation.verdicts)
