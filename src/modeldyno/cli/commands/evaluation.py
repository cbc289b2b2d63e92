"""`dyno evaluate`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from modeldyno.augmentation.perturbing import MEANINGS, parse_perturbations
from modeldyno.cli.arguments import access_of, add_access, add_slo, add_trust
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.cli.verdicts import code_of_evaluation
from modeldyno.errors import UsageError

if TYPE_CHECKING:
    from modeldyno.api.judging.changed_rows import Changes
    from modeldyno.quality.asked import Costs
    from modeldyno.records.evaluation import Evaluation

DESCRIPTION = """Measure how right a model, a bundle or a served model answers, with intervals, alone or against a
reference on the same rows; for each class and each slice. A bundle is also held against what was proven of it, for
another processor may answer otherwise with the same file: exit code 3 when it does not hold."""
EXAMPLES = """  dyno evaluate digits.skops --data digits.npz
  dyno evaluate out/digits.bundle --data digits.npz --reference digits.skops --slo "accuracy_drop<=1%"
  dyno evaluate model.onnx --data test.csv --label species --slice site --slo "recall[setosa]>=95%" --report q.html
  dyno evaluate http://127.0.0.1:8000 --data digits.npz --reference out/digits.bundle
  dyno evaluate model.onnx --data test/ --perturb noise=0.05:0.1:0.2,blur=2 --augment mirror --copies 1
  dyno evaluate out/digits.bundle"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", metavar="MODEL", help="model file, bundle, or URL of a server")
    add_trust(parser)
    rows = parser.add_argument_group("rows")
    rows.add_argument("--data", metavar="FILE", help="rows with labels; a bundle can be looked at without")
    rows.add_argument(
        "--label", metavar="NAME", help="column or array with the labels (default: label, target, y, ...)"
    )
    rows.add_argument(
        "--slice",
        action="append",
        default=[],
        metavar="NAME",
        help="column to tell quality by its values, too; several",
    )
    rows.add_argument("--weights", metavar="NAME", help="column with what each row counts")
    rows.add_argument("--query", metavar="NAME", help="ranking: column that says which rows belong together")
    parser.add_argument("--reference", metavar="MODEL", help="model, bundle or URL to compare with, row by row")
    add_slo(parser)
    parser.add_argument(
        "--costs", type=typed(parse_costs), metavar="FP:FN", help="of a false positive and a false negative: 1:10"
    )
    parser.add_argument("--task", choices=_tasks(), help="what the model does, when its file does not say")
    parser.add_argument("--model", dest="served", metavar="NAME", help="model on the server (default: its only one)")
    changes = parser.add_argument_group("changed rows")
    changes.add_argument(
        "--perturb",
        type=typed(parse_perturbations),
        default=(),
        metavar="KIND=X:X",
        help=f"quality at each severity: noise=0.05:0.1,blur=2; without numbers the usual ones ({', '.join(MEANINGS)})",
    )
    changes.add_argument(
        "--augment", type=typed(parse_perturbations), default=(), metavar="KIND=X", help="average over changed copies"
    )
    changes.add_argument("--copies", type=int, default=4, metavar="N", help="of each row, for --augment (4)")
    parser.add_argument("--report", metavar="FILE", help="write the offline HTML page with the curves")
    add_access(parser)


def _tasks() -> tuple[str, ...]:
    from modeldyno.records.artifact import Task

    return tuple(task for task in get_args(Task) if task != "unknown")


def parse_costs(text: str) -> "Costs":
    """`"1:10"` to a false positive's cost of 1 and a false negative's of 10.

    Raises:
        UsageError: not two positive numbers.
    """
    from modeldyno.quality.asked import Costs

    try:
        costs = Costs(*map(float, text.split(":")))
    except (TypeError, ValueError):
        costs = Costs(0.0, 0.0)
    if not all(0 < cost < float("inf") for cost in costs):
        raise UsageError(f"{text!r} are no costs", hint="write two positive numbers: FALSE_POSITIVE:FALSE_NEGATIVE")
    return costs


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.evaluation import evaluate
    from modeldyno.api.judging.assessment import Beside
    from modeldyno.api.judging.evaluated import Reach
    from modeldyno.reports.terminal.evaluation import evaluation_text

    evaluation = evaluate(
        arguments.model,
        data=arguments.data,
        label=arguments.label,
        beside=Beside(slices=tuple(arguments.slice), weights=arguments.weights, queries=arguments.query),
        reference=arguments.reference,
        slo=arguments.slo,
        costs=arguments.costs,
        trust=arguments.trust,
        reach=Reach(model=arguments.served, access=access_of(arguments)),
        changes=_changes(arguments),
        task=arguments.task,
        progress=terminal,
    )
    if arguments.report is not None:
        _write_page(Path(arguments.report), evaluation)
    written = "" if arguments.report is None else f"\nreport     {arguments.report}"
    terminal.show(evaluation, lambda one: f"{evaluation_text(one)}\n{written}".rstrip(), as_json=arguments.json)
    return code_of_evaluation(evaluation)


def _changes(arguments: argparse.Namespace) -> "Changes":
    from modeldyno.api.judging.changed_rows import Changes

    if len(arguments.augment) > 1:
        raise UsageError("--augment takes one kind of change", hint="such as --augment mirror")
    augment = arguments.augment[0] if arguments.augment else None
    return Changes(perturb=arguments.perturb, augment=augment, copies=arguments.copies)


def _write_page(path: Path, evaluation: "Evaluation") -> None:
    from modeldyno.records.files import write_atomically
    from modeldyno.reports.page.evaluation_page import evaluation_page

    write_atomically(path, evaluation_page(evaluation).encode())
