"""How many queries show that a percentile is met: the early stopping of MLPerf Inference.

A query over the latency bound is taken for a Bernoulli event. With a confidence of 99 %, a percentile p is shown to
be met when the chance of as few over-latency queries as were seen would be at most 1 % if only p of all queries were
within the bound. With t over-latency queries among n that chance is a binomial distribution function, the regularised
incomplete beta function I_p(n - t, t + 1) (DLMF 8.17.5; mlcommons/inference loadgen/early_stopping.cc; appendix
"Early Stopping" of mlcommons/inference_policies inference_rules.adoc, with its tolerance d = 0).

LoadGen once gave up its search beyond 1,024 over-latency queries and then reported as if there had been one
(mlcommons/inference issue 1083). Here no bound is set on them: both searches bisect a function that only falls or
only grows.

The rule assumes independent queries. Latencies of a loaded server resemble their neighbours', so that it is
optimistic under load; our own percentile intervals beside it are not (stats/quantiles.py).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

CONFIDENCE = 0.99


def chance_of_so_few(queries: int, over_latency: int, percentile: float) -> float:
    """The chance of at most `over_latency` among `queries` if only the share `percentile` of all is within the bound.

    Args:
        queries: all of them, over-latency ones included.
        over_latency: at least 0, fewer than `queries`.
        percentile: between 0 and 1, such as 0.99.
    """
    return float(special.betainc(queries - over_latency, over_latency + 1, percentile))


def least_queries(over_latency: int, percentile: float) -> int:
    """The least number of queries that shows the percentile to be met with so many of them over the bound.

    Args:
        over_latency: queries over the bound, 0 or more.
        percentile: between 0 and 1, such as 0.99.
    """
    most = over_latency + 1
    while chance_of_so_few(most, over_latency, percentile) > 1 - CONFIDENCE:
        most *= 2
    least = over_latency + 1
    while least < most:
        middle = (least + most) // 2
        if chance_of_so_few(middle, over_latency, percentile) <= 1 - CONFIDENCE:
            most = middle
        else:
            least = middle + 1
    return least


def most_over_latency(queries: int, percentile: float) -> int | None:
    """The most over-latency queries with which so many queries show the percentile to be met; None when not even 0."""
    if queries < 1 or chance_of_so_few(queries, 0, percentile) > 1 - CONFIDENCE:
        return None
    least, most = 0, queries - 1
    while least < most:
        middle = (least + most + 1) // 2
        if chance_of_so_few(queries, middle, percentile) <= 1 - CONFIDENCE:
            least = middle
        else:
            most = middle - 1
    return least


def early_estimate(latencies_ns: NDArray[np.float64], percentile: float) -> tuple[float, int] | None:
    """The early-stopping estimate of a percentile, which is no less than the true one with 99 % confidence.

    It is the largest latency after the t - 1 highest were discarded, where t is the most over-latency queries that
    the number of queries allows (LoadGen, results.cc; at least 1).

    Args:
        latencies_ns: of all queries in any order; failures are +inf.
        percentile: between 0 and 1, such as 0.9.

    Returns:
        The estimate in ns, +inf where failures reach it, and how many latencies were discarded; None when there are
        fewer queries than `least_queries(1, percentile)`.
    """
    count = len(latencies_ns)
    most = most_over_latency(count, percentile)
    if not most:
        return None
    return float(np.partition(latencies_ns, count - most)[count - most]), most - 1
