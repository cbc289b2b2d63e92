"""`dyno combine`."""

import argparse
import math

from modeldyno.cli.arguments import add_data, add_slo
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.cli.verdicts import code_of_objectives
from modeldyno.errors import UsageError

DESCRIPTION = """Make one servable pipeline of several bundles: a sequence (what comes out of one goes into the next),
an ensemble (all answer, and their answers become one) or a cascade (the first answers, and passes rows on that it is
not sure of). With labelled rows it says how right the whole answers, and can choose the threshold of a cascade."""
EXAMPLES = """  dyno combine cascade small.bundle big.bundle --data digits.npz --slo "accuracy_drop<=1%" --out cascade
  dyno combine cascade small.bundle big.bundle --threshold 0.9 --out out/cascade
  dyno combine ensemble one.bundle two.bundle --average probabilities --data digits.npz --out out/ensemble
  dyno combine ensemble a.bundle b.bundle c.bundle --vote label --weights 1,1,2 --out out/ensemble
  dyno combine sequence prepare.json digits.bundle names.json --out out/digits"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("kind", choices=("sequence", "ensemble", "cascade"), help="how they are combined")
    parser.add_argument(
        "bundles",
        nargs="+",
        metavar="BUNDLE",
        help="directory written by dyno tune or dyno combine; in a sequence also a .json file with operations",
    )
    parser.add_argument("--out", required=True, metavar="DIRECTORY", help="where the pipeline goes")
    parser.add_argument("--name", default="", help="on the server (default: the name of the directory)")
    ensemble = parser.add_argument_group("ensemble")
    ensemble.add_argument("--average", default="", metavar="OUTPUT", help="the mean of a float output is the answer")
    ensemble.add_argument("--vote", default="", metavar="OUTPUT", help="the most frequent label is the answer")
    ensemble.add_argument(
        "--weights", type=typed(_parse_numbers), default=(), metavar="X,X", help="of the models (all the same)"
    )
    cascade = parser.add_argument_group("cascade")
    cascade.add_argument(
        "--threshold",
        type=typed(_parse_numbers),
        default=(),
        metavar="X",
        help="rows of less confidence go on; one for each model but the last: 0.9,0.8 (chosen, with --slo and --data)",
    )
    cascade.add_argument(
        "--confidence", default="", metavar="OUTPUT", help="scores [rows, classes] that tell it (the only ones)"
    )
    cascade.add_argument(
        "--measure",
        choices=("highest", "margin"),
        default="highest",
        help="confidence is the highest score, or its distance to the second (highest)",
    )
    measuring = parser.add_argument_group("measuring")
    add_data(measuring)
    add_slo(parser)
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")


def _parse_numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise UsageError(f"{text!r} is not a list of numbers", hint="for example 0.9 or 0.9,0.8")
    return numbers


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.combined.graph import JoinRule
    from modeldyno.api.combining import combine
    from modeldyno.reports.terminal.combination import combination_text

    combination = combine(
        arguments.kind,
        arguments.bundles,
        out=arguments.out,
        rule=JoinRule(
            average=arguments.average,
            vote=arguments.vote,
            weights=arguments.weights,
            confidence=arguments.confidence,
            measure=arguments.measure,
            thresholds=arguments.threshold,
        ),
        name=arguments.name,
        slo=arguments.slo,
        data=arguments.data,
        label=arguments.label,
        force=arguments.force,
        progress=terminal,
    )
    terminal.show(combination, combination_text, as_json=arguments.json)
    return code_of_objectives(combination.verdicts)
