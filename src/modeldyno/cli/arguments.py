"""Arguments that several verbs share, declared once."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

from modeldyno.errors import InputError, UsageError
from modeldyno.records.workload import ProtocolName

if TYPE_CHECKING:
    from modeldyno.api.questions.ask import Ask
    from modeldyno.loadgen.access import Access

T = TypeVar("T")
BEARER_VARIABLE = "DYNO_BEARER"


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


def add_data(parser: argparse._ActionsContainer, *, required: bool = False) -> None:
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


def add_ask(parser: argparse.ArgumentParser) -> None:
    """What is sent to a server, and what lets us in."""
    asked = parser.add_argument_group("what is asked")
    asked.add_argument(
        "--protocol",
        choices=get_args(ProtocolName),
        metavar="NAME",
        help=f"{', '.join(get_args(ProtocolName))} (default: oip; oip-grpc for grpc://)",
    )
    asked.add_argument("--model", metavar="NAME", help="model on the server (default: its only one)")
    add_data(asked)
    access = parser.add_argument_group("access")
    access.add_argument(
        "--header", action="append", default=[], metavar="TEXT", help="'Name: value', sent with every request"
    )
    access.add_argument(
        "--bearer-file",
        metavar="FILE",
        help=f"send the key in it as 'Authorization: Bearer KEY' (default: the variable {BEARER_VARIABLE})",
    )
    access.add_argument("--ca", metavar="FILE", help="PEM file with the authorities to trust, instead of the system's")
    access.add_argument("--cert", metavar="FILE", help="PEM file with the client's certificate")
    access.add_argument("--key", metavar="FILE", help="PEM file with its key, if that is in a file of its own")


def ask_of(arguments: argparse.Namespace) -> "Ask":
    """What `add_ask` declared."""
    from modeldyno.api.questions.ask import Ask

    return Ask(
        protocol=arguments.protocol,
        access=_access_of(arguments),
        model=arguments.model,
        data=arguments.data,
        label=arguments.label,
    )


def _access_of(arguments: argparse.Namespace) -> "Access":
    from modeldyno.loadgen.access import Access

    headers = [_header_of(text) for text in arguments.header]
    bearer = os.environ.get(BEARER_VARIABLE, "")
    if arguments.bearer_file is not None:
        try:
            bearer = Path(arguments.bearer_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            raise InputError(f"cannot read the key in {arguments.bearer_file}", why=reason) from problem
    if bearer:
        headers.append(("Authorization", f"Bearer {bearer}"))
    if arguments.key is not None and arguments.cert is None:
        raise UsageError("--key is the key of a certificate", hint="name the certificate with --cert FILE")
    return Access(
        headers=tuple(headers),
        authorities=arguments.ca or "",
        certificate=arguments.cert or "",
        key=arguments.key or "",
    )


def _header_of(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError("a --header is no header", why="it has no name and colon", hint="for example 'X-Tenant: a'")
    return name.strip(), value.strip()
