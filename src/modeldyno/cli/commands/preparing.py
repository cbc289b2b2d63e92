"""`dyno prepare`."""

import argparse
from functools import partial

from modeldyno.cli.terminal import Terminal

DESCRIPTION = """Learn the constants of processing from training data: means and scales, categories, principal
components, terms of texts. The document that comes of it is put in front of a model by dyno combine, and before the
data of dyno evaluate and dyno tune by a data document, so that all of them prepare rows the same way."""
EXAMPLES = """  dyno prepare train.csv --label y --steps steps.json --out processing.json
  dyno prepare train.csv --steps steps.json --out processing.json --rows-out train.npz
  dyno combine sequence processing.json model.bundle --out out/served"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("data", metavar="DATA", help="training rows: .npz, .npy, .csv, .parquet, .jsonl, or a folder")
    parser.add_argument("--steps", required=True, metavar="FILE", help="what is to be done and learnt, a .json file")
    parser.add_argument("--out", metavar="FILE", help="where the operations with their constants go, a .json file")
    parser.add_argument("--rows-out", metavar="FILE", help="where the prepared rows and their labels go, a .npz file")
    parser.add_argument("--label", metavar="NAME", help="column or array with the labels, which are not prepared")
    parser.add_argument("--force", action="store_true", help="replace files that are there")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.preparing import prepare
    from modeldyno.errors import ExitCode
    from modeldyno.reports.terminal.preparation import preparation_text

    prepared = prepare(
        arguments.data,
        arguments.steps,
        out=arguments.out,
        rows_out=arguments.rows_out,
        label=arguments.label,
        force=arguments.force,
    )
    terminal.show(prepared, partial(preparation_text, out=arguments.out), as_json=arguments.json)
    return ExitCode.OK
