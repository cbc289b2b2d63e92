from hypothesis import given
from hypothesis import strategies as st

from modeldyno.reports.terminal.layout import WIDTH, entries, entry, joined, spaced, table

words = st.lists(st.text("abcdefgh 0123456789,.", min_size=1, max_size=12), max_size=60).map(" ".join)


@given(words)
def test_an_entry_never_runs_over_the_edge(text: str) -> None:
    assert all(len(line) <= WIDTH for line in entry("label", text))


@given(words)
def test_an_entry_loses_no_word(text: str) -> None:
    assert joined(entry("", text)).split() == text.split()


def test_a_line_breaks_before_an_interval_and_not_inside_it() -> None:
    text = f"{'x' * 92} 2.10 ms [1.92, 2.41]"
    assert joined(entry("why", text)).splitlines()[1].strip() == "2.10 ms [1.92, 2.41]"


def test_facts_on_a_line_are_broken_between_facts_only() -> None:
    lines = joined(entry("model", spaced("a" * 60, "three words here", "b" * 30))).splitlines()
    assert [line.strip() for line in lines] == ["model      " + "a" * 60 + "   three words here", "b" * 30]


def test_the_label_stands_before_the_first_entry_only() -> None:
    assert entries("why", ("one", "two")) == ["why        one", "           two"]


def test_a_label_as_long_as_its_column_keeps_a_gap() -> None:
    assert entry("CANNOT TELL", "x") == ["CANNOT TELL  x"]


def test_estimates_are_aligned_at_their_values() -> None:
    assert table("le", [("", "p99"), ("a", "2.10 ms [1.92, 2.41]"), ("b", "12.1 ms"), ("c", "–")], indent="") == [
        "    p99",
        "a   2.10 ms [1.92, 2.41]",
        "b   12.1 ms",
        "c         –",
    ]


def test_the_last_column_hangs_under_itself() -> None:
    lines = table("lw", [("name", "word " * 40)])
    assert len(lines) > 1
    assert all(line.startswith(" " * 9 + "word") for line in lines[1:])
    assert all(len(line) <= WIDTH for line in lines)


def test_a_long_cell_is_cut_with_a_sign_that_it_was() -> None:
    assert table("l", [("n" * 80,)], indent="")[0].endswith("n…")


def test_what_moves_the_cursor_is_made_visible() -> None:
    assert joined(["a\x1b[31mb\nc\u202ed"]) == "a�[31mb�c�d"


def test_no_two_empty_lines_follow_each_other() -> None:
    assert joined(["", "a", "", "", "", "b", ""]) == "a\n\nb"
