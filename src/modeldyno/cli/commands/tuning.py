"""`dyno tune`."""

import argparse

from modeldyno.cli.arguments import add_budget, add_data, add_model, add_slo, add_task
from modeldyno.cli.repeating import add_repeats, repeats_of
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.cli.verdicts import code_of_objectives
from modeldyno.errors import ExitCode
from modeldyno.records.search import Search
from modeldyno.units import parse_rate_per_s

DESCRIPTION = """Find the fastest deployment of a model that keeps its quality, prove it over HTTP under honest load,
and write a bundle and a report. Stopped with Ctrl-C it keeps the best so far; the same command goes on.
Where requests repeat (--repeats, or equal rows of the data), finalists are also proven with a cache of answers;
it is chosen only if it wins."""
EXAMPLES = """  dyno tune digits.skops --data digits.npz --slo "p99<20ms, accuracy_drop<=1%" --rate 500 --budget 90s
  dyno tune model.onnx --rate 200 --budget 5m --out deployments
  dyno tune model.onnx --data rows.npz --rate 200 --repeats 30%"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_model(parser)
    add_data(parser)
    add_slo(parser)
    parser.add_argument(
        "--rate",
        type=typed(parse_rate_per_s),
        default="100",
        metavar="N",
        help="requests per second of the proof (100)",
    )
    add_budget(parser, "90s", "time for the whole search (90s)")
    parser.add_argument("--out", default="out", metavar="DIR", help="where bundle and report go (out)")
    parser.add_argument("--force", action="store_true", help="replace an existing bundle")
    add_task(parser)
    add_repeats(parser.add_argument_group("repeats"), default="as many as rows of the data repeat others")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.tuning import tune
    from modeldyno.reports.terminal.search import search_text

    search = tune(
        arguments.model,
        data=arguments.data,
        label=arguments.label,
        slo=arguments.slo,
        rate_per_s=arguments.rate,
        budget_ns=arguments.budget,
        out=arguments.out,
        trust=arguments.trust,
        force=arguments.force,
        task=arguments.task,
        repeats=repeats_of(arguments),
        progress=terminal,
    )
    terminal.show(search, search_text, as_json=arguments.json)
    return code_of_search(search)


def code_of_search(search: Search) -> ExitCode:
    """130 when stopped, 3 without a winner or with a failed objective, 4 when unproven, invalid or undecided.

    An invalid proof outranks a failed objective: what was judged on it was not really measured.
    """
    if search.state == "interrupted":
        return ExitCode.INTERRUPTED
    if search.winner is None:
        return max(ExitCode.OBJECTIVE_FAILED, code_of_objectives(search.verdicts))
    finalist = next((one for one in search.finalists if one.deployment == search.winner), None)
    if finalist is None or finalist.proof.verdict.measurement == "invalid":
        return ExitCode.NOT_VALID
    return code_of_objectives(search.verdicts)
