"""The page of a comparison."""

from functools import partial

from modeldyno.records.comparison import Comparison
from modeldyno.reports.comparing import CHANGE_WORDS, change_text, difference_name, value_text
from modeldyno.reports.headline import comparison_headline
from modeldyno.reports.page.forest import forest_chart
from modeldyno.reports.page.screens import Size, on_screens
from modeldyno.reports.page.template import render


def comparison_page(comparison: Comparison) -> str:
    """The report of `dyno compare`."""
    return render(
        "comparison.html.jinja",
        comparison=comparison,
        headline=comparison_headline(comparison),
        forest=on_screens(partial(forest_chart, comparison), Size(1040, 300)),
        value_text=value_text,
        change_text=change_text,
        difference_name=difference_name,
        change_words=CHANGE_WORDS,
    )
