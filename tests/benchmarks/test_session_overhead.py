from typing import Any

import session_overhead

FOUND: list[dict[str, Any]] = [
    {"round": number, "rows": rows, "stolen": 0.01, "session": 12.0 + number, "direct": 10.5 + number}
    for number in range(1, 9)
    for rows in session_overhead.ROWS
]
WHERE = {
    "date": "2026-01-01", "cpu": "a CPU", "cores": 2, "python": "3.11", "versions": {"numpy": "2"}, "rounds": 8,
    "load_average": 0.5,
}  # fmt: skip


def test_what_is_added_is_the_difference_of_the_same_round() -> None:
    assert [1.5] * 8 == session_overhead.differences(FOUND, 1)


def test_the_result_holds_the_median_difference_against_the_bar() -> None:
    text = "\n".join(session_overhead.lines(WHERE, FOUND, calls=10))
    assert "added to a call at batch 1, µs: 1.5, asked at most 3: met" in text
    assert "1.50 [1.50, 1.50]" in text


def test_the_processor_time_of_a_call_is_counted_in_microseconds() -> None:
    called: list[int] = []
    assert session_overhead.cpu_us(lambda: called.append(1), calls=5) >= 0
    assert 5 == len(called)
