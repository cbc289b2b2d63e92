"""`dyno compress`."""

import argparse

from modeldyno.cli.arguments import add_budget, add_data, add_slo, add_task, add_trust
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.verdicts import code_of_compression
from modeldyno.errors import ExitCode, UsageError

DESCRIPTION = """Make smaller forms of a model, and tell of each: size, operations, how many answers change,
quality, the class that suffers most, and speed on this machine in turns with the model as it came. What fails a quality
objective, or cannot be made, is refused with the reason; what is not faster says why."""
EXAMPLES = """  dyno compress model.onnx --data digits.npz --out small
  dyno compress model.onnx --recipe onnx-int8-static --data digits.npz --slo "accuracy_drop<=0.5%" --out small
  dyno compress --list"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help="model file or directory")
    add_trust(parser)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--recipe",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; again for more (all that tune tries)",
    )
    chosen.add_argument("--list", action="store_true", help="the names of the recipes, and what they do")
    add_data(parser)
    add_slo(parser)
    parser.add_argument("--out", metavar="DIR", help="directory for what is made")
    add_budget(parser, "120s", "time for all of it; a recipe that has begun is finished (120s)")
    parser.add_argument("--force", action="store_true", help="write over an earlier compression")
    add_task(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    if arguments.list:
        return _list(arguments, terminal)
    if arguments.model is None or arguments.out is None:
        missing = "a MODEL" if arguments.model is None else "--out DIR"
        raise UsageError(
            f"{missing} is needed", hint="dyno compress MODEL --data DATA --out DIR, or: dyno compress --list"
        )
    from modeldyno.api.compressing import compress
    from modeldyno.reports.terminal.derivation import compression_text

    found = compress(
        arguments.model,
        out=arguments.out,
        recipes=arguments.recipe,
        data=arguments.data,
        label=arguments.label,
        slo=arguments.slo,
        budget_ns=arguments.budget,
        trust=arguments.trust,
        force=arguments.force,
        task=arguments.task,
        progress=terminal,
    )
    terminal.show(found, compression_text, as_json=arguments.json)
    return code_of_compression(found)


def _list(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from modeldyno.api.artifacts.recipes import ON_REQUEST, RECIPES
    from modeldyno.records.files import to_json
    from modeldyno.reports.terminal.derivation import recipes_text

    rows = [(one.name, one.does, one.needs) for one in RECIPES]
    rows += [(one.name, f"{one.does}; only when asked for", one.needs) for one in ON_REQUEST]
    if arguments.json:
        terminal.record(to_json([{"name": name, "does": does, "needs": needs} for name, does, needs in rows]))
    else:
        terminal.result(recipes_text(rows))
    return ExitCode.OK
