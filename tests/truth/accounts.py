"""One run told twice: by the instrument and by the server, on one clock whose zero the instrument does not tell."""

from typing import NamedTuple

import numpy as np

from modeldyno.records.requests import Outcome
from modeldyno.records.run import Run, Summary


class TwoAccounts(NamedTuple):
    run: Run
    rows: np.ndarray
    """The instrument's, `REQUEST_DTYPE`, in planned order."""
    truth: np.ndarray
    """The server's, `TRUTH_DTYPE`, in the order in which it read the requests."""

    @property
    def summary(self) -> Summary:
        assert self.run.summary is not None
        return self.run.summary

    @property
    def answered(self) -> np.ndarray:
        return np.asarray(self.rows[self.rows["outcome"] == Outcome.OK])

    def matched_truth(self) -> np.ndarray:
        """The server's rows in the order of `answered`, for a server that tells its times.

        Its times are exact to a nanosecond, so that they tell requests apart. Fails when they are not the same ones.
        """
        answered, truth = self.answered, self.truth[self.truth["done_ns"] >= 0]
        said = np.stack([answered[f"server_{name}_ns"] for name in ("total", "queue", "inference")])
        true = np.stack(
            [
                truth["done_ns"] - truth["arrived_ns"],
                truth["begun_ns"] - truth["arrived_ns"],
                truth["service_ns"],
            ]
        )
        order, true_order = np.lexsort(said), np.lexsort(true)
        assert said[:, order].tolist() == true[:, true_order].tolist()
        found = np.empty_like(truth)
        found[order] = truth[true_order]
        return found


class ClockOffset(NamedTuple):
    """Bounds of what is to be added to the instrument's moments to get the server's."""

    low_ns: int
    high_ns: int

    @classmethod
    def between(cls, rows: np.ndarray, truth: np.ndarray) -> "ClockOffset":
        """From matched rows: nothing arrives before it is sent, nor is answered after the answer is there."""
        return cls(int((truth["done_ns"] - rows["done_ns"]).max()), int((truth["arrived_ns"] - rows["sent_ns"]).min()))

    @classmethod
    def in_order(cls, rows: np.ndarray, truth: np.ndarray) -> "ClockOffset":
        """As `between` where rows cannot be matched: the nth arrival is not before the nth send, nor the nth end."""
        done, sent, ended, arrived = (
            np.sort(moments) for moments in (rows["done_ns"], rows["sent_ns"], truth["done_ns"], truth["arrived_ns"])
        )
        return cls(int((ended - done).max()), int((arrived - sent).min()))

    @property
    def is_possible(self) -> bool:
        """Whether one offset satisfies every request."""
        return self.low_ns <= self.high_ns
