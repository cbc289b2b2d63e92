"""`modeldyno.loadgen.load_result`: what several processes did is told as one."""

from pathlib import Path

import msgspec
import numpy as np

from modeldyno.loadgen.load_result import answers_of, effective_of, requests_of, tokens_of
from modeldyno.loadgen.messages import AnswerTally, Assignment, Finished
from modeldyno.loadgen.wiring import Expectations
from modeldyno.records.requests import REQUEST_DTYPE, TOKEN_DTYPE
from modeldyno.records.workload import Workload

WORKLOAD = Workload(url="null:", model="digits", rate_per_s=10, requests=4, warmup_requests=0, seed=1)


def assigned(folder: Path, worker: int) -> Assignment:
    return Assignment(
        worker=worker, workers=2, host="", port=0, transport="null", reader="plain", requests=[], choice=b"", rows=[],
        kinds=[], planned=b"", first_measured=0, plan_end_ns=0, timeout_ns=1, connections=1, max_connections=1,
        part_path=str(folder / f"part-{worker}"), tokens_path=str(folder / f"tokens-{worker}"),
    )  # fmt: skip


def rows(*numbers: int) -> np.ndarray:
    table = np.zeros(len(numbers), REQUEST_DTYPE)
    table["number"] = numbers
    table["planned_ns"] = [100 - number for number in numbers]
    return table


def told(**changed: object) -> Finished:
    told = Finished(
        rows_bytes=0, rows=b"", tokens_bytes=0, tokens=b"", cpu_fraction=0.1, connections=1, reconnects=0, notes=()
    )
    return msgspec.structs.replace(told, **changed)


def test_rows_are_read_from_the_part_files_followed_by_what_the_disk_had_no_room_for(tmp_path: Path) -> None:
    first, second, left = rows(0, 2), rows(1), rows(3)
    (tmp_path / "part-0").write_bytes(first.tobytes() + b"half a row that was never announced")
    (tmp_path / "part-1").write_bytes(second.tobytes())
    finished = [told(rows_bytes=first.nbytes), told(rows_bytes=second.nbytes, rows=left.tobytes())]
    found = requests_of(WORKLOAD, [assigned(tmp_path, 0), assigned(tmp_path, 1)], finished)

    assert [0, 1, 2, 3] == found["number"].tolist()


def test_rows_of_a_closed_loop_are_in_the_order_of_their_moments(tmp_path: Path) -> None:
    workload = msgspec.structs.replace(WORKLOAD, rate_per_s=0, concurrency=2)
    finished = [told(rows=rows(0, 2).tobytes()), told(rows=rows(1).tobytes())]
    found = requests_of(workload, [assigned(tmp_path, 0), assigned(tmp_path, 1)], finished)

    assert [98, 99, 100] == found["planned_ns"].tolist()


def test_tokens_are_those_of_all_processes_one_after_another(tmp_path: Path) -> None:
    tokens = np.zeros(3, TOKEN_DTYPE)
    tokens["number"] = [4, 4, 5]
    (tmp_path / "tokens-0").write_bytes(tokens[:2].tobytes())
    finished = [told(tokens_bytes=tokens[:2].nbytes), told(tokens=tokens[2:].tobytes())]
    found = tokens_of([assigned(tmp_path, 0), assigned(tmp_path, 1)], finished)

    assert [4, 4, 5] == found["number"].tolist()


def test_counts_are_summed_and_the_busiest_and_the_sleepiest_process_stand_for_all() -> None:
    effective = effective_of(
        [
            told(connections=3, reconnects=1, cpu_fraction=0.9, awake_fraction=0.8),
            told(connections=4, reconnects=2, cpu_fraction=0.2, awake_fraction=0.99),
        ]
    )

    assert (7, 3, 2) == (effective.connections, effective.reconnects, effective.workers)
    assert (0.9, 0.8) == (effective.client_cpu_fraction, effective.awake_fraction)


def test_processes_that_were_not_asked_to_stay_awake_do_not_tell_that_they_did() -> None:
    assert effective_of([told(), told()]).awake_fraction is None


def test_wrong_answers_are_counted_with_the_first_example() -> None:
    expectations = Expectations(answers=[b"1"], checked_share=0.5, tolerance=0.1, source="answers.npz")
    finished = [
        told(answers=AnswerTally(10, 0, "")),
        told(answers=AnswerTally(20, 2, "3 instead of 4")),
        told(answers=AnswerTally(5, 1, "later")),
        told(),
    ]
    answers = answers_of(expectations, finished)

    assert answers is not None
    assert ("answers.npz", 0.5, 0.1) == (answers.expected, answers.share, answers.tolerance)
    assert (35, 3, "3 instead of 4") == (answers.checked, answers.wrong, answers.example)


def test_where_only_the_status_was_looked_at_no_answers_were_checked() -> None:
    assert answers_of(None, [told()]) is None
    assert answers_of(Expectations(answers=[b"1"]), [told(answers=AnswerTally(1, 0, ""))]) is None
