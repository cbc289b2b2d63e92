"""Arguments that several verbs share, declared once."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from modeldyno.api.load.questions.template_share import parse_template_share
from modeldyno.cli.prompts import add_prompts, prompts_of
from modeldyno.cli.typed import typed
from modeldyno.data.lengths import parse_length_mix
from modeldyno.errors import InputError, UsageError
from modeldyno.records.workload import ProtocolName
from modeldyno.units import parse_duration_ns

if TYPE_CHECKING:
    from modeldyno.api.load.questions.ask import Ask
    from modeldyno.api.load.questions.check import Check
    from modeldyno.loadgen.access import Access

BEARER_VARIABLE = "DYNO_BEARER"


def add_model(parser: argparse.ArgumentParser, help_text: str = "model file or directory") -> None:
    """The model, and whether its file may run code."""
    parser.add_argument("model", metavar="MODEL", help=help_text)
    add_trust(parser)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Whether files that run code when loaded are allowed."""
    parser.add_argument(
        "--trust", action="store_true", help="load what can run code (pickle, Python files, TorchScript)"
    )


def add_data(parser: argparse._ActionsContainer, *, required: bool = False) -> None:
    """The rows and their labels."""
    parser.add_argument(
        "--data",
        metavar="FILE",
        required=required,
        help="rows: .npz, .npy, .csv, .parquet, .jsonl, a folder of images or of save_to_disk, a data document (.json)",
    )
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


def add_budget(parser: argparse.ArgumentParser, default: str, help_text: str) -> None:
    """How long it may take."""
    parser.add_argument("--budget", type=typed(parse_duration_ns), default=default, metavar="TIME", help=help_text)


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
    asked.add_argument(
        "--shape",
        type=typed(parse_length_mix),
        action="append",
        default=[],
        metavar="MIX",
        help="length of an open dimension of made rows: dim1=128, or a mix: dim1=16:0.9,512:0.1 (8)",
    )
    asked.add_argument(
        "--request",
        type=typed(parse_template_share),
        action="append",
        default=[],
        metavar="FILE[:WEIGHT]",
        help="http: a request file, filled from the data; several are a mix",
    )
    asked.add_argument("--signature", metavar="NAME", help="tf-serving: signature to call (serving_default)")
    asked.add_argument("--tensor-format", choices=("row", "column"), default="row", help="tf-serving: of predict (row)")
    asked.add_argument("--management-url", metavar="URL", help="torchserve: where models are listed (port 8081)")
    add_prompts(parser)
    answers = parser.add_argument_group("answers")
    answers.add_argument(
        "--expected", metavar="FILE", help="check answers against those of each row; 'server': its own before the load"
    )
    answers.add_argument("--check", type=float, metavar="X", help="share of the answers to check (1)")
    answers.add_argument("--tolerance", type=float, metavar="X", help="of floats, relative and absolute (1e-4)")
    add_access(parser)


def add_access(parser: argparse.ArgumentParser) -> None:
    """What lets us in to a server."""
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
    from modeldyno.api.load.questions.ask import Ask

    return Ask(
        protocol=arguments.protocol,
        access=access_of(arguments),
        model=arguments.model,
        data=arguments.data,
        label=arguments.label,
        check=_check_of(arguments),
        lengths=tuple(arguments.shape),
        templates=tuple(arguments.request),
        signature=arguments.signature,
        by_column=arguments.tensor_format == "column",
        management_url=arguments.management_url,
        prompts=prompts_of(arguments),
    )


def _check_of(arguments: argparse.Namespace) -> "Check | None":
    from modeldyno.api.load.questions.check import Check

    asked = {"share": arguments.check, "tolerance": arguments.tolerance}
    given = {name: value for name, value in asked.items() if value is not None}
    if arguments.expected is not None:
        return Check(expected=arguments.expected, **given)
    if given:
        option = "--check" if "share" in given else "--tolerance"
        raise UsageError(
            f"{option} means nothing without expected answers", hint="--expected FILE or --expected server"
        )
    return None


def access_of(arguments: argparse.Namespace) -> "Access":
    """What `add_access` declared."""
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
