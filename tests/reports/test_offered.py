import msgspec
import pytest

from modeldyno.records.workload import RowShare, TraceSource, Workload
from modeldyno.reports.offered import offered_text, phases_text, rows_text

PLAIN = Workload(url="http://x", model="m", rate_per_s=500.0, requests=5_000, warmup_requests=500, seed=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    (
        ({}, "Poisson arrivals at 500/s"),
        ({"arrivals": "gamma", "burstiness": 0.25}, "Gamma arrivals at 500/s, burstiness 0.25"),
        ({"arrivals": "ramp", "from_per_s": 10.0, "to_per_s": 990.0}, "Ramp from 10/s to 990/s"),
        ({"arrivals": "step", "from_per_s": 10.0, "to_per_s": 990.0, "steps": 4}, "Step from 10/s to 990/s in 4 steps"),
        ({"arrivals": "closed", "concurrency": 1}, "Closed loop of 1 user"),
        ({"arrivals": "closed", "concurrency": 32}, "Closed loop of 32 users"),
        (
            {"arrivals": "replay", "trace": TraceSource(path="/a/b.csv", digest="", speed=2.0)},
            "Replay of b.csv at 500/s on average, 2x the speed",
        ),
    ),
)
def test_every_kind_of_load_is_named(changes: dict[str, object], words: str) -> None:
    text = offered_text(msgspec.structs.replace(PLAIN, **changes))

    assert words == text.replace("0.250", "0.25").replace("2.00x", "2x")


def test_the_sizes_of_a_mix_are_said_with_their_shares() -> None:
    mix = (RowShare(rows=1, share=0.9), RowShare(rows=32, share=0.1))

    assert "1 row each" == rows_text(PLAIN)
    assert "1 row 90.0 %, 32 rows 10.0 %" == rows_text(msgspec.structs.replace(PLAIN, row_mix=mix))


def test_many_sizes_are_said_as_their_mean_and_range() -> None:
    mix = tuple(RowShare(rows=rows, share=0.2) for rows in range(1, 6))

    assert rows_text(msgspec.structs.replace(PLAIN, row_mix=mix)).endswith("rows on average, 1 to 5")


def test_a_closed_loop_says_how_long_it_runs() -> None:
    closed = {"arrivals": "closed", "concurrency": 2, "warmup_ns": 10**9, "requests": 0}

    assert "5,000 requests after 500 of warm-up" == phases_text(PLAIN)
    by_time = phases_text(msgspec.structs.replace(PLAIN, **closed, duration_ns=10**10))
    assert by_time.startswith("10")
    assert " s after 1" in by_time
