"""The mean response time cut into its parts, as far as the server says anything about itself."""

from typing import Literal

import numpy as np

from modeldyno.records.base import Record
from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.run import ResponseSplit

_PARTS = ("server_queue_ns", "preprocessing_ns", "inference_ns", "postprocessing_ns")


class _Told(Record, frozen=True, kw_only=True):
    """What the server says, means in ns; None where it says nothing."""

    source: Literal["server-timing", "triton statistics"]
    total_ns: float | None
    server_queue_ns: float | None
    preprocessing_ns: float | None
    inference_ns: float | None
    postprocessing_ns: float | None


def split_response(answered: np.ndarray, activity: ModelActivity | None = None) -> ResponseSplit | None:
    """The parts of the mean response time of `answered`; None when nothing was answered.

    The server's own times come with each answer, or else from its statistics, whose means are taken over nearly the
    same requests. A server whose statistics say more than its answers took serves others too: they are not used.

    Args:
        answered: rows of `REQUEST_DTYPE` with the outcome OK.
        activity: what the server counted meanwhile.
    """
    if not len(answered):
        return None
    waited_ns = (answered["sent_ns"] - answered["planned_ns"]).astype(np.float64)
    # A connection that began to open before the request was due kept it waiting from then on only.
    connect = float(np.clip(answered["connect_ns"], 0, np.maximum(waited_ns, 0)).mean())
    client_wait = float(waited_ns.mean()) - connect
    service = float((answered["done_ns"] - answered["sent_ns"]).mean())
    response = float((answered["done_ns"] - answered["planned_ns"]).mean())
    told = _told_with_answers(answered) or _told_by_statistics(activity, service)
    parts = {} if told is None else {name: getattr(told, name) for name in _PARTS}
    transmission = None if told is None or told.total_ns is None else service - told.total_ns
    known = client_wait + connect + (transmission or 0.0) + sum(part or 0.0 for part in parts.values())
    return ResponseSplit(
        response_ns=response,
        client_wait_ns=client_wait,
        connect_ns=connect,
        transmission_ns=transmission,
        server_queue_ns=parts.get("server_queue_ns"),
        preprocessing_ns=parts.get("preprocessing_ns"),
        inference_ns=parts.get("inference_ns"),
        postprocessing_ns=parts.get("postprocessing_ns"),
        unaccounted_ns=response - known,
        source=told.source if told is not None else None,
    )


def _told_with_answers(answered: np.ndarray) -> _Told | None:
    told = _Told(
        source="server-timing",
        total_ns=_reported_mean(answered["server_total_ns"]),
        server_queue_ns=_reported_mean(answered["server_queue_ns"]),
        preprocessing_ns=_reported_mean(answered["server_preprocess_ns"]),
        inference_ns=_reported_mean(answered["server_inference_ns"]),
        postprocessing_ns=_reported_mean(answered["server_postprocess_ns"]),
    )
    is_silent = told.total_ns is None and all(getattr(told, name) is None for name in _PARTS)
    return None if is_silent else told


def _reported_mean(times_ns: np.ndarray) -> float | None:
    # A part that some answers lack has no mean over the answered requests; one over the others would not add up.
    return float(times_ns.mean()) if (times_ns >= 0).all() else None


def _told_by_statistics(activity: ModelActivity | None, service_ns: float) -> _Told | None:
    if activity is None or activity.total_ns is None or activity.total_ns > service_ns:
        return None
    return _Told(
        source="triton statistics",
        total_ns=activity.total_ns,
        server_queue_ns=activity.queue_ns,
        preprocessing_ns=activity.compute_input_ns,
        inference_ns=activity.compute_infer_ns,
        postprocessing_ns=activity.compute_output_ns,
    )
