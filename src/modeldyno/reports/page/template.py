"""Templates with a page's facts in them: the only file that knows Jinja."""

from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from modeldyno.reports import estimates
from modeldyno.reports.findings import model_shape
from modeldyno.reports.page.pareto import sign
from modeldyno.reports.wording import ANSWER_WORDS, LATENCY_LEVELS, LIBRARY_NAMES, glued, moment, printable
from modeldyno.units import format_duration, format_fraction, format_number, format_rate, format_size


def render(template: str, **facts: Any) -> str:
    """The page that `template` makes of `facts`.

    Raises:
        TypeError: the template prints None.
        jinja2.UndefinedError: it names a fact that was not given.
    """
    return _environment().get_template(template).render(facts)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        estimate_duration=estimates.duration_text,
        estimate_number=estimates.number_text,
        estimate_items=estimates.items_text,
        estimate_ratio=estimates.ratio_text,
        estimate_fraction=estimates.fraction_text,
        duration=format_duration,
        fraction=format_fraction,
        number=format_number,
        rate=format_rate,
        size=format_size,
        metric_name=estimates.metric_name,
        plural=estimates.plural,
        moment=moment,
        prose=glued,
    )
    environment.globals.update(
        style=Markup(_resource("style.css")),  # noqa: S704 - our own file
        answer_words=ANSWER_WORDS,
        failures_text=estimates.failures_text,
        latency_levels=LATENCY_LEVELS,
        library_names=LIBRARY_NAMES,
        model_shape=model_shape,
        sign=sign,
    )
    return environment


def _resource(name: str) -> str | None:
    resource = files(__package__).joinpath(name)
    return resource.read_text(encoding="utf-8") if resource.is_file() else None


def _shown(value: Any) -> Any:
    """What a template prints: text without characters that hide or reorder; None is a defect of the template."""
    if value is None:
        raise TypeError("a template printed None; it must say what is missing in words")
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)
