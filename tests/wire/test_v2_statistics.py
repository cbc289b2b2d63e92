import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.model_statistics import BatchCount, CountedTime, ModelStatistics
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_statistics import decode_statistics, encode_statistics

# What Triton 2.48 sends, shortened: members that the page of the extension does not name included.
TRITON = b"""{"model_stats":[{"name":"simple","version":"1","last_inference":1732147200123,"inference_count":640,
"execution_count":40,"inference_stats":{"success":{"count":160,"ns":320000000},"fail":{"count":2,"ns":5000,
"reason":{"REJECTED":2}},"queue":{"count":160,"ns":80000000},"compute_input":{"count":160,"ns":16000000},
"compute_infer":{"count":160,"ns":160000000},"compute_output":{"count":160,"ns":8000000},
"cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},"response_stats":{"0":{}},
"batch_stats":[{"batch_size":16,"compute_input":{"count":40,"ns":4000000},"compute_infer":{"count":40,"ns":40000000},
"compute_output":{"count":40,"ns":2000000}}],"memory_usage":[{"type":"GPU","id":0,"byte_size":100}]}]}"""

counted = st.builds(CountedTime, count=st.integers(0, 2**62), ns=st.integers(0, 2**62))
batches = st.builds(
    BatchCount, rows=st.integers(0, 10_000), compute_input=counted, compute_infer=counted, compute_output=counted
)
models = st.builds(
    ModelStatistics,
    name=st.text(),
    version=st.text(),
    last_inference_ms=st.integers(0, 2**53),
    inference_count=st.integers(0, 2**62),
    execution_count=st.integers(0, 2**62),
    success=counted,
    fail=counted,
    queue=counted,
    compute_input=counted,
    compute_infer=counted,
    compute_output=counted,
    cache_hit=counted,
    cache_miss=counted,
    cache_saved_ns=st.integers(0, 2**62),
    batches=st.lists(batches, max_size=3).map(tuple),
)


@given(st.lists(models, max_size=3))
def test_what_was_written_is_read_back(statistics: list[ModelStatistics]) -> None:
    assert tuple(statistics) == decode_statistics(encode_statistics(statistics))


def test_what_triton_sends_is_read() -> None:
    (found,) = decode_statistics(TRITON)
    assert ("simple", "1", 640, 40) == (found.name, found.version, found.inference_count, found.execution_count)
    assert CountedTime(count=160, ns=80_000_000) == found.queue
    assert CountedTime(count=2, ns=5_000) == found.fail
    (batch,) = found.batches
    assert (16, 40) == (batch.rows, batch.compute_infer.count)


def test_what_a_server_leaves_out_counts_nothing() -> None:
    (found,) = decode_statistics(b'{"model_stats":[{"name":"m"}]}')
    assert ModelStatistics(name="m") == found


@pytest.mark.parametrize(
    "content", (b"", b"{}", b"[]", b'{"model_stats":[{}]}', b'{"model_stats":[{"name":"m","inference_count":"7"}]}')
)
def test_what_is_no_such_document_is_refused(content: bytes) -> None:
    with pytest.raises(WireError, match="not the statistics of a model"):
        decode_statistics(content)
