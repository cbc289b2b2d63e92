from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.load.questions.ask import DISTINCT_ASKED, DISTINCT_BYTES, DISTINCT_REQUESTS, Ask
from modeldyno.api.load.questions.check import Check
from modeldyno.api.load.questions.tensors import prepare_tensors, starts_of
from modeldyno.data.lengths import parse_length_mix
from modeldyno.errors import DataError
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature, TensorSpec


def model(*shape: int | str) -> Signature:
    return Signature(inputs=(TensorSpec(name="x", datatype="UINT8", shape=("batch", *shape)),), outputs=())


def encode(number: int, inputs: Tensors, size: int) -> PreparedRequest:
    return PreparedRequest(b"%d" % number, (), size, f"/{inputs['x'].shape}")


def test_requests_are_numbered_through_all_sizes() -> None:
    prepared, _ = prepare_tensors(Ask(), model(4), (1, 8), 1, encode=encode)

    assert [b"%d" % number for number in range(len(prepared.requests))] == [one.body for one in prepared.requests]
    assert (512, 128) == tuple([one.rows for one in prepared.requests].count(size) for size in (1, 8))


def test_fewer_different_requests_are_made_when_the_server_is_to_answer_each_before_the_load() -> None:
    ask = Ask(check=Check(expected="server"))

    prepared, _ = prepare_tensors(ask, model(4), (1,), 1, encode=encode)

    assert DISTINCT_ASKED == len(prepared.requests)


def test_requests_are_numbered_through_all_shapes() -> None:
    ask = Ask(lengths=(parse_length_mix("a=2,3"),))

    prepared, _ = prepare_tensors(ask, model("a"), (1,), 1, encode=encode)

    assert [b"%d" % number for number in range(DISTINCT_REQUESTS)] == [one.body for one in prepared.requests]
    assert {("a=2", "/(1, 2)"), ("a=3", "/(1, 3)")} == {(one.kind, one.path) for one in prepared.requests}


def test_few_rows_are_made_of_a_model_of_large_ones() -> None:
    row_bytes = DISTINCT_BYTES // 4

    prepared, _ = prepare_tensors(Ask(), model(row_bytes), (1,), 1, encode=encode)

    assert 4 == len(prepared.requests)


def test_few_requests_are_made_of_large_data(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((6, DISTINCT_BYTES // 8), np.uint8))
    ask = Ask(data=tmp_path / "rows.npy")

    prepared, _ = prepare_tensors(ask, model(DISTINCT_BYTES // 8), (1, 2), 1, encode=encode)

    assert [1, 1, 2, 2] == [one.rows for one in prepared.requests]


def test_a_request_of_more_rows_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match="the data hold 3 rows, and a request of 4 rows"):
        starts_of(3, 1, 4)


def test_requests_that_ask_the_same_are_left_out_when_unlike_ones_are_wanted(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([[1], [2], [1], [3], [2], [4], [1], [2]], np.uint8))
    ask = Ask(data=tmp_path / "rows.npy", distinct=3)

    single, _ = prepare_tensors(ask, model(1), (1,), 1, encode=encode)
    pairs, _ = prepare_tensors(ask, model(1), (2,), 1, encode=encode)

    assert 3 == len(single.requests)
    assert 3 == len(pairs.requests)  # (1, 2), (1, 3), (2, 4), and (1, 2) again


def test_as_many_unlike_rows_are_made_as_a_load_wants() -> None:
    wanted = DISTINCT_REQUESTS + 500

    prepared, _ = prepare_tensors(Ask(distinct=wanted), model(16), (1,), 1, encode=encode)

    assert wanted == len(prepared.requests)
