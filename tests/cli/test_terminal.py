import io
import json

from modeldyno.cli.terminal import Terminal
from modeldyno.errors import InputError
from modeldyno.records.base import Estimate

FOUND = Estimate(value=2.0, low=1.0, high=3.0)


def shown(*, as_json: bool) -> str:
    out = io.StringIO()
    Terminal(out, io.StringIO(), quiet=False).show(FOUND, lambda one: f"about {one.value:g}", as_json=as_json)
    return out.getvalue()


def test_what_was_found_is_shown_in_words() -> None:
    assert "about 2\n" == shown(as_json=False)


def test_what_was_found_is_shown_as_the_record_when_json_is_asked_for() -> None:
    assert {"value": 2.0, "low": 1.0, "high": 3.0} == json.loads(shown(as_json=True))


def test_what_a_reason_quotes_of_a_file_does_not_drive_the_terminal() -> None:
    err = io.StringIO()
    Terminal(io.StringIO(), err, quiet=False).error(InputError("no trace", why="it holds \x1b[2J\x07\nand ü"))
    assert "dyno: no trace\n  why   it holds \ufffd[2J\ufffd\n        and ü\n" == err.getvalue()
