"""The document of `GET v2/models/{name}[/versions/{version}]/stats`, a Triton extension, there and back.

Source: extension_statistics.md under docs/protocol of triton-inference-server/server. `cache_miss` is not in its text
but in what Triton sends, and its perf_analyzer fails without it; `cache_saved` is of this server: the hits, and what
computing them would have taken.
"""

from collections.abc import Iterable

import msgspec

from modeldyno.records.model_statistics import BatchCount, CountedTime, ModelStatistics
from modeldyno.wire.errors import WireError


class _Times(msgspec.Struct, frozen=True):
    success: CountedTime = CountedTime()
    fail: CountedTime = CountedTime()
    queue: CountedTime = CountedTime()
    compute_input: CountedTime = CountedTime()
    compute_infer: CountedTime = CountedTime()
    compute_output: CountedTime = CountedTime()
    cache_hit: CountedTime = CountedTime()
    cache_miss: CountedTime = CountedTime()
    cache_saved: CountedTime = CountedTime()


class _Batch(msgspec.Struct, frozen=True):
    batch_size: int
    compute_input: CountedTime = CountedTime()
    compute_infer: CountedTime = CountedTime()
    compute_output: CountedTime = CountedTime()


class _Model(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    last_inference: int = 0
    inference_count: int = 0
    execution_count: int = 0
    inference_stats: _Times = _Times()
    batch_stats: tuple[_Batch, ...] = ()


class _Document(msgspec.Struct, frozen=True):
    model_stats: tuple[_Model, ...]


_DECODER = msgspec.json.Decoder(_Document)
_TIMES = tuple(name for name in _Times.__struct_fields__ if name != "cache_saved")


def encode_statistics(models: Iterable[ModelStatistics]) -> bytes:
    """The answer, one entry for each model and version."""
    return msgspec.json.encode(_Document(tuple(_entry(one) for one in models)))


def decode_statistics(content: bytes) -> tuple[ModelStatistics, ...]:
    """The entries of an answer; members that are not known are left out, those that lack count nothing.

    Raises:
        WireError: it is not such a document.
    """
    try:
        document = _DECODER.decode(content)
    except msgspec.MsgspecError as problem:
        raise WireError(f"not the statistics of a model: {problem}") from None
    return tuple(_statistics(one) for one in document.model_stats)


def _entry(one: ModelStatistics) -> _Model:
    return _Model(
        name=one.name,
        version=one.version,
        last_inference=one.last_inference_ms,
        inference_count=one.inference_count,
        execution_count=one.execution_count,
        inference_stats=_Times(
            **{name: getattr(one, name) for name in _TIMES},
            cache_saved=CountedTime(count=one.cache_hit.count, ns=one.cache_saved_ns),
        ),
        batch_stats=tuple(
            _Batch(each.rows, each.compute_input, each.compute_infer, each.compute_output) for each in one.batches
        ),
    )


def _statistics(one: _Model) -> ModelStatistics:
    return ModelStatistics(
        name=one.name,
        version=one.version,
        last_inference_ms=one.last_inference,
        inference_count=one.inference_count,
        execution_count=one.execution_count,
        cache_saved_ns=one.inference_stats.cache_saved.ns,
        batches=tuple(
            BatchCount(
                rows=each.batch_size,
                compute_input=each.compute_input,
                compute_infer=each.compute_infer,
                compute_output=each.compute_output,
            )
            for each in one.batch_stats
        ),
        **{name: getattr(one.inference_stats, name) for name in _TIMES},
    )
