"""A request file, and how much of a load is made from it."""

import math
import re
from dataclasses import dataclass
from os import PathLike

from modeldyno.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class TemplateShare:
    """A template file, and how much of the load is made from it."""

    path: str | PathLike[str]
    weight: float = 1.0


def parse_template_share(text: str) -> TemplateShare:
    """`score.http` or `score.http:0.9`.

    Raises:
        UsageError: a weight that is not above 0.
    """
    path, colon, weight = text.rpartition(":")
    if not colon or not re.fullmatch(r"[-+.\deE]+", weight):
        return TemplateShare(path=text)
    try:
        share = float(weight)
    except ValueError:
        share = 0.0
    if not 0 < share < math.inf:
        raise UsageError(f"{text!r} has a weight that is not above 0", hint="for example a.http:0.9")
    return TemplateShare(path=path, weight=share)
