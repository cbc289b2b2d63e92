"""From the raw rows of a language model's load, and the stamps of its answers' pieces, to times and rates of tokens.

Definitions. Time to first token: the first piece with content minus the planned moment, so that what a late send or
a full pool costs is in it. Inter-token latency: the time between a piece and the one before it, over all gaps of all
requests, so that a long answer weighs more than a short one. Time per output token: first to last piece over the
tokens less one, as MLPerf Inference (rules, "TPOT") and `vllm bench serve` have it, one a request. A server may send
several tokens in a piece: the counts of tokens are its own, the moments those of the pieces.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.base import Estimate
from modeldyno.records.objective import TOKEN_LATENCY_METRICS, Objective
from modeldyno.records.requests import TOKEN_DTYPE, Outcome
from modeldyno.records.run import Distribution, TokenSummary
from modeldyno.stats.blocks import block_estimate
from modeldyno.stats.intervals import mean_estimate
from modeldyno.stats.quantiles import quantile_estimate, summarise_latency
from modeldyno.stats.throughput import SLICES

Floats = NDArray[np.float64]
LEAST_REQUESTS = 50
"""For a rate of tokens."""
_FRACTIONS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
NO_TOKENS = np.empty(0, TOKEN_DTYPE)


def summarise_tokens(rows: np.ndarray, requests: np.ndarray, tokens: np.ndarray) -> TokenSummary:
    """The measured phase of a language model's load.

    Args:
        rows: measured rows of `REQUEST_DTYPE` in the order of their plan.
        requests: all rows, warm-up included: tokens of its last answers come in the measured phase.
        tokens: all rows of `TOKEN_DTYPE`; those of one request in the order of time.
    """
    answered = rows[rows["outcome"] == Outcome.OK]
    pieces = _Pieces(answered, tokens)
    counts = np.bincount(pieces.owner, minlength=len(answered)) if len(answered) else np.zeros(0, np.int64)
    first_ns = answered["first_token_ns"] >= 0
    output = answered["output_tokens"]
    return TokenSummary(
        time_to_first_token=summarise_latency(first_token_times(rows)),
        time_to_first_token_from_send=summarise_latency(
            (answered["first_token_ns"] - answered["sent_ns"])[first_ns].astype(np.float64)
        ),
        inter_token_latency=summarise_latency(gaps_between_tokens(rows, tokens)),
        time_per_output_token=summarise_latency(times_per_token(rows)),
        output_tokens_per_s=token_rate(requests, tokens),
        output_tokens_per_s_of_request=_distribution(_rates_of_requests(answered)),
        input_tokens=_distribution(answered["input_tokens"][answered["input_tokens"] >= 0].astype(np.float64)),
        output_tokens=_distribution(output[output >= 0].astype(np.float64)),
        counted=int((answered["input_tokens"] >= 0).sum()),
        streamed=int(first_ns.sum()),
        empty=int((output == 0).sum()),
        pieces=len(pieces.moment_ns),
        tokens_in_pieces=int(output[counts > 0].sum()),
        pieces_in_one_read=int((pieces.gap_ns == 0).sum()),
    )


def series_of(time: str, rows: np.ndarray, tokens: np.ndarray) -> Floats:
    """The values, ns, in the order of time, that a limit on `ttft`, `itl` or `tpot` is held against."""
    if time == "itl":
        return gaps_between_tokens(rows, tokens)
    return first_token_times(rows) if time == "ttft" else times_per_token(rows)


def first_token_times(rows: np.ndarray) -> Floats:
    """First piece minus planned, ns, in the order of `rows`; +inf for failures; answers without content are left out.

    What the user cut off is left out, as in `stats.summary.response_times`.
    """
    return _with_failures(rows, rows["first_token_ns"] >= 0, rows["first_token_ns"] - rows["planned_ns"])


def times_per_token(rows: np.ndarray) -> Floats:
    """First to last piece over the output tokens less one, ns; +inf for failures; of two tokens or more."""
    return _with_failures(rows, (rows["first_token_ns"] >= 0) & (rows["output_tokens"] >= 2), _after_first(rows))


def gaps_between_tokens(rows: np.ndarray, tokens: np.ndarray) -> Floats:
    """All gaps between pieces of answered requests, ns, in the order in which they ended.

    A failed request counts as many unbounded gaps as an answered one has on average (at least one), where it failed:
    otherwise two failures in a hundred requests would be one gap in a thousand, and hide from the 99th percentile.
    """
    answered = rows[rows["outcome"] == Outcome.OK]
    pieces = _Pieces(answered, tokens)
    if not len(pieces.gap_ns):
        return np.empty(0)
    failed = rows[~np.isin(rows["outcome"], (Outcome.OK, Outcome.INTERRUPTED))]
    each = max(1, round(len(pieces.gap_ns) / int((answered["first_token_ns"] >= 0).sum())))
    failed_ns = np.repeat(np.where(failed["done_ns"] >= 0, failed["done_ns"], failed["planned_ns"]), each)
    moments = np.concatenate((pieces.gap_end_ns, failed_ns))
    gaps = np.concatenate((pieces.gap_ns, np.full(len(failed_ns), np.inf)))
    return np.asarray(gaps[np.argsort(moments, kind="stable")], np.float64)


def token_rate(requests: np.ndarray, tokens: np.ndarray) -> Estimate | None:
    """Output tokens per second of all requests together, from the first to the last planned moment of the measured.

    Tokens that came before belong to the warm-up, those after to the emptying of the server. A request's tokens are
    spread evenly over its pieces, and come all at its end where it has none. The interval is that of equal slices of
    the time, by Student; None with fewer than 50 measured requests or without a token.
    """
    measured = requests[requests["measured"]]
    counts = tokens_over_time(requests, tokens, SLICES)
    if len(measured) < LEAST_REQUESTS or counts is None:
        return None
    slice_s = float(measured["planned_ns"].max() - measured["planned_ns"].min()) / SLICES / 1e9
    return block_estimate((counts / slice_s).tolist())


def tokens_over_time(requests: np.ndarray, tokens: np.ndarray, slices: int) -> Floats | None:
    """Output tokens that came in each of `slices` equal parts of the measured plan; None without any, or a plan."""
    measured = requests[requests["measured"]]
    if not len(measured):
        return None
    start, end = int(measured["planned_ns"].min()), int(measured["planned_ns"].max())
    moments, weights = weighted_moments(requests, tokens)
    if end <= start or not weights.sum() > 0:
        return None
    return np.asarray(np.histogram(moments, np.linspace(start, end, slices + 1), weights=weights)[0], np.float64)


def weighted_moments(requests: np.ndarray, tokens: np.ndarray) -> tuple[Floats, Floats]:
    """When output tokens of answered requests came, ns, and how many at each moment."""
    answered = requests[(requests["outcome"] == Outcome.OK) & (requests["output_tokens"] >= 0)]
    if not len(answered):
        return np.empty(0), np.empty(0)
    pieces = _Pieces(answered, tokens)
    counts = np.bincount(pieces.owner, minlength=len(answered))
    in_one = counts == 0
    each = answered["output_tokens"] / np.maximum(counts, 1)
    return (
        np.concatenate((pieces.moment_ns, answered["done_ns"][in_one])).astype(np.float64),
        np.concatenate((each[pieces.owner], answered["output_tokens"][in_one])).astype(np.float64),
    )


def meets_token_limits(rows: np.ndarray, tokens: np.ndarray, objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    """Whether each request was answered and met every limit on the times of its tokens.

    A limit on a percentile, the mean or the largest inter-token latency is one on that of the request's own gaps; one
    on a first token or a time per token is on the request's own. A failure meets none, nor does an answer that has
    no first token where that is limited; a request with a single token has no gap that could be too long.
    """
    met = rows["outcome"] == Outcome.OK
    for one in objectives:
        if one.limit is None or one.metric not in TOKEN_LATENCY_METRICS:
            continue
        time, level = TOKEN_LATENCY_METRICS[one.metric]
        if time == "ttft":
            met &= _within(
                np.where(rows["first_token_ns"] >= 0, rows["first_token_ns"] - rows["planned_ns"], np.inf), one
            )
        elif time == "tpot":
            met &= _within(_after_first(rows), one)
        else:
            met &= _gaps_within(_Pieces(rows, tokens), len(rows), level, one)
    return np.asarray(met, np.bool_)


def _within(values: np.ndarray, one: Objective) -> NDArray[np.bool_]:
    return np.asarray(values < one.limit if one.comparison == "<" else values <= one.limit, np.bool_)


def _gaps_within(pieces: "_Pieces", requests: int, level: str, one: Objective) -> NDArray[np.bool_]:
    """Whether a level of each request's own gaps is within the limit; it is where there are none."""
    counts = np.bincount(pieces.gap_owner, minlength=requests)
    if level == "mean":
        sums = np.bincount(pieces.gap_owner, weights=pieces.gap_ns, minlength=requests)
        return _within(sums / np.maximum(counts, 1), one)
    # The value of rank r is within the limit when at least r values are: nothing needs to be sorted.
    ranks = np.ceil(counts * _FRACTIONS[level] - 1e-9)
    return np.asarray(np.bincount(pieces.gap_owner[_within(pieces.gap_ns, one)], minlength=requests) >= ranks, np.bool_)


class _Pieces:
    """Pieces of some requests, by request and then by time.

    Args:
        rows: of `REQUEST_DTYPE`; pieces of others are left out.
        tokens: of `TOKEN_DTYPE`.
    """

    def __init__(self, rows: np.ndarray, tokens: np.ndarray) -> None:
        size = int(max(tokens["number"].max(initial=-1), rows["number"].max(initial=-1))) + 1
        place = np.full(size, -1, np.int64)
        place[rows["number"]] = np.arange(len(rows))
        owner = place[tokens["number"]]
        kept = np.flatnonzero(owner >= 0)
        kept = kept[np.argsort(owner[kept], kind="stable")]
        self.owner: NDArray[np.int64] = owner[kept]
        """Place in `rows` of the request of each piece."""
        self.moment_ns: NDArray[np.int64] = tokens["moment_ns"][kept]
        follows = self.owner[1:] == self.owner[:-1]
        self.gap_ns: NDArray[np.int64] = np.diff(self.moment_ns)[follows]
        """Between the pieces of one request."""
        self.gap_end_ns: NDArray[np.int64] = self.moment_ns[1:][follows]
        self.gap_owner: NDArray[np.int64] = self.owner[1:][follows]


def _with_failures(rows: np.ndarray, has_value: NDArray[np.bool_], values_ns: np.ndarray) -> Floats:
    is_answered = rows["outcome"] == Outcome.OK
    kept = np.where(is_answered, has_value, rows["outcome"] != Outcome.INTERRUPTED)
    return np.where(is_answered, values_ns, np.inf)[kept]


def _after_first(rows: np.ndarray) -> Floats:
    """First to last piece over the output tokens less one, ns; 0 where there is but one."""
    return np.asarray(
        (rows["last_token_ns"] - rows["first_token_ns"]) / np.maximum(rows["output_tokens"].astype(np.float64) - 1, 1)
    )


def _rates_of_requests(answered: np.ndarray) -> Floats:
    rows = answered[answered["output_tokens"] >= 0]
    took_s = np.maximum(rows["done_ns"] - rows["planned_ns"], 1) / 1e9
    return np.asarray(rows["output_tokens"] / took_s, np.float64)


def _distribution(values: Floats) -> Distribution:
    return Distribution(
        mean=mean_estimate(values),
        p10=quantile_estimate(values, 0.1),
        p50=quantile_estimate(values, 0.5),
        p90=quantile_estimate(values, 0.9),
        least=float(values.min()) if len(values) else None,
        largest=float(values.max()) if len(values) else None,
    )
