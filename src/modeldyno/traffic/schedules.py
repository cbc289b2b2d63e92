"""The planned moments of a workload."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.workload import Workload
from modeldyno.traffic.constant import constant
from modeldyno.traffic.gamma import gamma
from modeldyno.traffic.poisson import poisson
from modeldyno.traffic.profiles import PROFILES
from modeldyno.traffic.varying import Piece, varying


def planned_moments(workload: Workload) -> NDArray[np.int64]:
    """When each request is to be sent, warm-up included, of a workload whose arrivals a formula gives.

    Returns:
        Nanoseconds since the start, ascending; nothing for a replay, whose moments are in its trace, nor for a
        closed loop, which has none.
    """
    requests = workload.warmup_requests + workload.requests
    rate_per_s, seed = workload.rate_per_s, workload.seed
    if workload.arrivals == "constant":
        return constant(rate_per_s=rate_per_s, requests=requests, seed=seed)
    if workload.arrivals == "poisson":
        return poisson(rate_per_s=rate_per_s, requests=requests, seed=seed)
    if workload.arrivals == "gamma":
        return gamma(rate_per_s=rate_per_s, requests=requests, seed=seed, burstiness=workload.burstiness)
    profile = PROFILES.get(workload.arrivals)
    if profile is None or workload.from_per_s is None or workload.to_per_s is None:
        return np.empty(0, np.int64)
    calm = Piece(workload.warmup_requests / workload.from_per_s, workload.from_per_s, workload.from_per_s)
    measured = profile(workload.requests / rate_per_s, workload.from_per_s, workload.to_per_s, workload.steps)
    pieces = [calm, *measured] if workload.warmup_requests else measured
    return varying(pieces, requests=requests, seed=seed)
