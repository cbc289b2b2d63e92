"""Closed forms of queues with Poisson arrivals, first come first served: what a server of known behaviour must show.

Rates are per second, times in nanoseconds. Sources: A. K. Erlang 1909 and 1917; F. Pollaczek 1930 and
A. Khinchine 1932; all of them in D. Gross and C. M. Harris, "Fundamentals of Queueing Theory", 3rd edition, chapters
2 and 5.
"""

import math

from modeldyno.errors import UsageError


def utilisation(rate_per_s: float, service_ns: float, lanes: int = 1) -> float:
    """The share of the time in which a lane is busy.

    Raises:
        UsageError: the queue would grow without end.
    """
    busy = rate_per_s * service_ns / 1e9 / lanes
    if not 0 < busy < 1:
        raise UsageError(
            f"{lanes} lanes of {service_ns:g} ns at {rate_per_s:g}/s are {busy:.0%} busy",
            why="no queue is steady there",
        )
    return busy


def wait_probability(rate_per_s: float, service_ns: float, lanes: int = 1) -> float:
    """M/M/k: the share of arrivals that find every lane busy (Erlang C), with a mean service time of `service_ns`."""
    busy = utilisation(rate_per_s, service_ns, lanes)
    blocked = 1.0  # Erlang B, by its recursion over the number of lanes: its factorials overflow from 170 on
    for lane in range(1, lanes + 1):
        blocked = busy * lanes * blocked / (lane + busy * lanes * blocked)
    return blocked / (1 - busy * (1 - blocked))


def mean_wait_ns(rate_per_s: float, service_ns: float, *, cv: float) -> float:
    """M/G/1: the mean wait, by Pollaczek and Khinchine: rate · E[S²] / (2 (1 - utilisation)).

    Args:
        rate_per_s: of the Poisson arrivals.
        service_ns: mean service time.
        cv: its standard deviation over its mean; 0 is M/D/1 and 1 is that of M/M/1.
    """
    busy = utilisation(rate_per_s, service_ns)
    return busy * service_ns * (1 + cv * cv) / (2 * (1 - busy))


def mean_wait_of_lanes_ns(rate_per_s: float, service_ns: float, lanes: int) -> float:
    """M/M/k: the mean wait, those that do not wait included."""
    busy = utilisation(rate_per_s, service_ns, lanes)
    return wait_probability(rate_per_s, service_ns, lanes) * service_ns / (lanes * (1 - busy))


def response_beyond(response_ns: float, rate_per_s: float, service_ns: float, lanes: int = 1) -> float:
    """M/M/k: the share of requests whose wait and service together take longer than `response_ns`.

    The wait is 0, or with Erlang's probability exponential with the rate at which the lanes outrun the arrivals; an
    exponential service is added to it. One lane: exponential with the rate 1 / service - rate.
    """
    waits = wait_probability(rate_per_s, service_ns, lanes)
    served_per_s = 1e9 / service_ns
    seconds = response_ns / 1e9
    surplus_per_s = lanes * served_per_s - rate_per_s
    slower_per_s, apart_per_s = min(surplus_per_s, served_per_s), abs(surplus_per_s - served_per_s)
    # (exp(-a t) - exp(-b t)) / (b - a), written so that neither overflows nor cancels where the rates are close.
    both = seconds if apart_per_s == 0 else -math.expm1(-apart_per_s * seconds) / apart_per_s
    return math.exp(-served_per_s * seconds) + waits * served_per_s * math.exp(-slower_per_s * seconds) * both


def response_quantile_ns(fraction: float, rate_per_s: float, service_ns: float, lanes: int = 1) -> float:
    """M/M/k: the quantile of wait and service together, such as 0.99; exact to a billionth."""
    low, high = 0.0, service_ns
    while response_beyond(high, rate_per_s, service_ns, lanes) > 1 - fraction:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if response_beyond(middle, rate_per_s, service_ns, lanes) > 1 - fraction:
            low = middle
        else:
            high = middle
    return high


def constant_wait_within(wait_ns: float, rate_per_s: float, service_ns: float) -> float:
    """M/D/1: the share of requests that wait no longer than `wait_ns` (A. K. Erlang 1909).

    (1 - utilisation) · Σ (-x)^i / i! · exp(x) over the whole services i in the wait, where x is
    rate · (wait - i · service). The terms alternate: after many services they are too large for what is left of them
    in floating point.

    Raises:
        UsageError: the wait is too long for the formula.
    """
    busy = utilisation(rate_per_s, service_ns)
    if rate_per_s * wait_ns / 1e9 > 16:
        raise UsageError(f"a wait of {wait_ns:g} ns at {rate_per_s:g}/s is too long for Erlang's formula")
    terms = []
    for whole in range(math.floor(wait_ns / service_ns) + 1):
        expected = rate_per_s * (wait_ns - whole * service_ns) / 1e9
        terms.append((-expected) ** whole / math.factorial(whole) * math.exp(expected))
    return (1 - busy) * math.fsum(terms)
