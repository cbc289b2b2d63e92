import pytest

from modeldyno.errors import InputError, first_line


@pytest.mark.parametrize(
    ("said", "expected"),
    (
        ("out of memory", "out of memory"),
        ("\n\n  no such operator  \n  at graph.cc:17", "no such operator"),
        ("", "ValueError"),
        (" \n ", "ValueError"),
    ),
)
def test_the_first_line_of_an_error_is_told_or_its_type_where_it_says_nothing(said: str, expected: str) -> None:
    assert expected == first_line(ValueError(said))


def test_an_error_in_a_line_says_why_where_it_knows() -> None:
    assert "there is no file a: it was moved" == InputError("there is no file a", why="it was moved").in_a_line
    assert "there is no file a" == InputError("there is no file a", hint="look in b").in_a_line
