"""Streams whose timing is known: what a run of a language model looks like when all is as it should be."""

import numpy as np

from modeldyno.records.requests import TOKEN_DTYPE, Outcome, empty_requests

MS = 1_000_000


def make_stream(
    count: int = 400,
    *,
    tokens: int = 5,
    first_ns: int = 20 * MS,
    gap_ns: int = 4 * MS,
    late_ns: int = MS,
    every_ns: int = 10 * MS,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and pieces: one request each `every_ns`, all alike, a piece a token, counted by the server."""
    rows = empty_requests(count)
    planned = np.arange(count, dtype=np.int64) * every_ns
    rows["planned_ns"] = planned
    rows["sent_ns"] = planned + late_ns
    rows["first_token_ns"] = rows["sent_ns"] + first_ns
    rows["last_token_ns"] = rows["first_token_ns"] + (tokens - 1) * gap_ns
    rows["done_ns"] = rows["last_token_ns"] + 1000
    rows["first_byte_ns"] = rows["sent_ns"] + 1000
    rows["outcome"], rows["status"], rows["measured"], rows["rows"] = Outcome.OK, 200, True, 1
    rows["input_tokens"], rows["output_tokens"] = 7, tokens
    pieces = np.empty(count * tokens, TOKEN_DTYPE)
    pieces["number"] = np.repeat(rows["number"], tokens)
    pieces["moment_ns"] = np.repeat(rows["first_token_ns"], tokens) + np.tile(np.arange(tokens) * gap_ns, count)
    return rows, pieces


def fail(rows: np.ndarray, pieces: np.ndarray, places: slice, outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """The same run, in which the requests at `places` failed."""
    rows = rows.copy()
    for name in ("first_token_ns", "last_token_ns", "input_tokens", "output_tokens"):
        rows[name][places] = -1
    rows["outcome"][places] = outcome
    return rows, pieces[~np.isin(pieces["number"], rows["number"][places])]
