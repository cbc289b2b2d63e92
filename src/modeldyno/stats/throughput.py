"""Rows answered per second over the time of the plan, with an interval."""

import math

import numpy as np

from modeldyno.records.base import Estimate
from modeldyno.records.requests import Outcome
from modeldyno.records.workload import Workload
from modeldyno.stats.intervals import student_quantile

SLICES = 20


def throughput_estimate(rows: np.ndarray, workload: Workload) -> Estimate | None:
    """Rows answered per second: the rate asked times the share of the plan that was answered as fast as it was asked.

    An open-loop run can show no more than it offered, and the rate of a random schedule is off its nominal one by
    chance, for which no server is to blame: so the share is estimated, not the rate. It is the ratio of answers to
    plans over equal slices of the time of the plan (answers shifted back by the median response time), with Student's
    interval of a ratio estimator (Cochran, "Sampling Techniques", 3rd ed., 6.4). A closed loop offers no rate: there
    it is the rate answered, with the interval of its slices' mean.

    Args:
        rows: measured rows in the order of their plan.
        workload: what was asked.

    Returns:
        None with fewer than 50 planned requests, or when nothing was answered.
    """
    answered = rows[rows["outcome"] == Outcome.OK]
    if len(rows) < 50 or not len(answered):
        return None
    took_ns = float(np.median(answered["done_ns"] - answered["planned_ns"]))
    edges = np.linspace(int(rows["planned_ns"][0]), int(rows["planned_ns"][-1]) + 1, SLICES + 1)
    is_closed = workload.is_closed
    planned = np.full(SLICES, len(rows) / SLICES) if is_closed else np.histogram(rows["planned_ns"], edges)[0]
    done = np.histogram(answered["done_ns"] - took_ns, edges)[0]
    share = float(done.sum() / planned.sum())
    residual = done - share * planned
    error = math.sqrt(float((residual**2).sum()) / (SLICES - 1) * SLICES) / float(planned.sum())
    half = student_quantile(SLICES - 1) * error
    offered_per_s = len(rows) / (edges[-1] - edges[0]) * 1e9 if is_closed else workload.rate_per_s
    asked = float(offered_per_s * answered["rows"].mean())
    return Estimate(value=share * asked, low=max(0.0, share - half) * asked, high=(share + half) * asked)
