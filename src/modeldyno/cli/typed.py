"""Parsers of ours for argparse."""

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
            because = f": {problem.why}" if problem.why else ""
            message = f"{problem.what}{because} ({problem.hint})" if problem.hint else f"{problem.what}{because}"
            raise argparse.ArgumentTypeError(message) from problem

    return convert
