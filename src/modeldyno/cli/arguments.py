"""Arguments that several verbs share, declared once."""

import argparse
from collections.abc import Callable
from typing import TypeVar

from modeldyno.errors import UsageError

T = TypeVar("T")


def typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse use a parser of ours: our error text becomes the argument's error."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except UsageError as problem:
            message = f"{problem.what} ({problem.hint})" if problem.hint else problem.what
            raise argparse.ArgumentTypeError(message) from problem

    return convert


def add_model(parser: argparse.ArgumentParser, help_text: str = "model file: .skops, .onnx, .joblib, .pkl") -> None:
    """The model, and whether its file may run code."""
    parser.add_argument("model", metavar="MODEL", help=help_text)
    add_trust(parser)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Whether files that run code when loaded are allowed."""
    parser.add_argument(
        "--trust", action="store_true", help="load files that can run code (pickle, joblib, unknown skops types)"
    )


def add_data(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """The rows and their labels."""
    parser.add_argument("--data", metavar="FILE", required=required, help="rows: .npz, .npy, .csv or .parquet")
    parser.add_argument(
        "--label", metavar="NAME", help="column or array with the labels (default: label, target, y, ...)"
    )


def add_task(parser: argparse.ArgumentParser) -> None:
    """What the model does, when the file does not say."""
    parser.add_argument(
        "--task", choices=("classification", "regression"), help="what the model does, when its file does not say"
    )


def add_slo(parser: argparse.ArgumentParser) -> None:
    """The objectives."""
    parser.add_argument(
        "--slo", default="", metavar="TEXT", help='objectives, such as "p99<20ms, accuracy_drop<=1%%, memory<300MB"'
    )
