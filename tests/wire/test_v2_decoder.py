"""`modeldyno.wire.v2_decoder`: what is accepted, and that what is not is refused with its reason."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_layout import Layout, LayoutReader
from modeldyno.wire.v2_wishes import OutputWish

SIGNATURE = Signature(
    inputs=(
        TensorSpec(name="x", datatype="FP32", shape=("batch", 3)),
        TensorSpec(name="ids", datatype="INT8", shape=("batch",)),
    ),
    outputs=(
        TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="half", datatype="FP16", shape=("batch",)),
    ),
)
BRAIN = Signature(
    inputs=(TensorSpec(name="x", datatype="BF16", shape=("batch", 3)),),
    outputs=(TensorSpec(name="y", datatype="BF16", shape=("batch",)),),
)
ONE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 3)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch",)),),
)
WORDS = Signature(
    inputs=(TensorSpec(name="t", datatype="BYTES", shape=("batch", 2)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch",)),),
)
X = {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2.5, 3]}
IDS = {"name": "ids", "datatype": "INT8", "shape": [1], "data": [4]}
ONLY_Y = [{"name": "y"}]


def body(*inputs: Any, **others: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), "outputs": ONLY_Y, **others}).encode()


def binary(size: Any, tensors: bytes, **changes: Any) -> tuple[bytes, int]:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": size}, **changes}
    header = json.dumps({"inputs": [tensor]}).encode()
    return header + tensors, len(header)


@pytest.mark.parametrize("data", ([1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]))
def test_data_may_be_flat_or_nested(data: list[Any]) -> None:
    request = InferRequestDecoder(ONE).decode(body({**X, "shape": [2, 3], "data": data}))
    np.testing.assert_array_equal(np.array([[1, 2, 3], [4, 5, 6]], np.float32), request.inputs["x"])
    assert (2, 6) == (request.rows, request.elements)


def test_inputs_are_brought_into_the_order_of_the_signature() -> None:
    request = InferRequestDecoder(SIGNATURE).decode(body(IDS, X))
    assert ["x", "ids"] == list(request.inputs)


def test_binary_tensors_lie_in_the_order_of_the_request_not_of_the_signature() -> None:
    inputs = [
        {"name": "ids", "datatype": "INT8", "shape": [1], "parameters": {"binary_data_size": 1}},
        {"name": "x", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}},
    ]
    header = body(*inputs)
    tensors = struct.pack("<b3f", 7, 1, 2, 3)
    request = InferRequestDecoder(SIGNATURE).decode(header + tensors, len(header))
    np.testing.assert_array_equal([7], request.inputs["ids"])
    np.testing.assert_array_equal([[1, 2, 3]], request.inputs["x"])
    assert request.inputs["x"].flags.aligned


def test_json_and_binary_inputs_may_be_mixed() -> None:
    header = body({"name": "x", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}, IDS)
    request = InferRequestDecoder(SIGNATURE).decode(header + struct.pack("<3f", 1, 2, 3), len(header))
    np.testing.assert_array_equal([4], request.inputs["ids"])


def test_each_of_many_mixed_requests_has_its_own_numbers_whatever_was_remembered_of_the_others() -> None:
    decoder = InferRequestDecoder(SIGNATURE)
    for number in (4, 0, 1, 0, 4):
        ids = {**IDS, "data": [number]}
        header = body({"name": "x", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}, ids)
        request = decoder.decode(header + struct.pack("<3f", 1, 2, number), len(header))
        assert (number, number) == (request.inputs["ids"][0], request.inputs["x"][0, 2])


def test_the_wish_of_one_output_wins_over_that_of_all() -> None:
    outputs = [{"name": "half"}, {"name": "y", "parameters": {"binary_data": False}}]
    request = InferRequestDecoder(SIGNATURE).decode(
        body(X, IDS, outputs=outputs, parameters={"binary_data_output": True})
    )
    assert (OutputWish("half", binary=True), OutputWish("y", binary=False)) == request.wishes


def test_without_outputs_all_are_given() -> None:
    request = InferRequestDecoder(ONE).decode(body(X, outputs=[], id="abc", parameters={"priority": 1, "mine": "yes"}))
    assert ((OutputWish("y", binary=False),), "abc") == (request.wishes, request.id)


def test_nan_and_infinity_reach_the_model() -> None:
    request = InferRequestDecoder(ONE).decode(*binary(12, struct.pack("<3f", np.nan, np.inf, 1)))
    np.testing.assert_array_equal([[np.nan, np.inf, 1]], request.inputs["x"])


def test_a_raw_request_is_the_only_inputs_data_and_its_answer_is_binary() -> None:
    request = InferRequestDecoder(ONE).decode(struct.pack("<3f", 1, 2, 3), 0)
    np.testing.assert_array_equal([[1, 2, 3]], request.inputs["x"])
    assert (1, (OutputWish("y", binary=True),)) == (request.rows, request.wishes)


def test_a_raw_request_may_have_one_varying_dimension() -> None:
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="INT16", shape=("batch", "length")),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch",)),),
    )
    assert InferRequestDecoder(signature).decode(b"\1\0\2\0", 0).inputs["x"].tolist() == [[1, 2]]


def test_requests_of_other_row_shapes_have_another_batch_key() -> None:
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", "length")),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch",)),),
    )
    decoder = InferRequestDecoder(signature)
    keys = [decoder.decode(body({**X, "shape": shape})).batch_key for shape in ([1, 3], [3, 1])]
    assert [((3,),), ((1,),)] == keys


@pytest.mark.parametrize(
    ("signature", "content", "reason"),
    (
        (ONE, b"", "not a valid inference request"),
        (ONE, b"[1]", "not a valid inference request"),
        (ONE, b"\xff\xfe", "not a valid inference request"),
        (ONE, b'{"inputs":' + b"[" * 100_000, "not a valid inference request"),
        (ONE, body(X, junk=json.loads("[" * 100 + "]" * 100)), "more than 100 levels deep"),
        (ONE, b"{}", "inputs"),
        (ONE, body(), "input 'x' is missing"),
        (ONE, body({**X, "name": "z"}), "unknown input 'z'; the model takes 'x'"),
        (ONE, body(X, X), "given twice"),
        (ONE, body({**X, "datatype": "FP64"}), "FP32, not 'FP64'"),
        (ONE, body({**X, "datatype": "FLOAT"}), "no datatype of the protocol"),
        (ONE, body({**X, "shape": [3]}), "the model takes ['batch', 3]"),
        (ONE, body({**X, "shape": [1, 4], "data": [1, 2, 3, 4]}), "the model takes ['batch', 3]"),
        (ONE, body({**X, "shape": [0, 3], "data": []}), "at least 1"),
        (ONE, body({**X, "shape": [-1, 3]}), "at least 1"),
        (ONE, body({**X, "shape": [10**30, 3]}), "takes"),
        (ONE, body({**X, "shape": [1.5, 3]}), "shape"),
        (ONE, body({**X, "data": [1, 2]}), "2 values"),
        (ONE, body({**X, "data": [[1], [2, 3]]}), "not a regular array"),
        (ONE, body({**X, "data": [[1, 2]]}), "nested as [1, 2]"),
        (ONE, body({**X, "data": [[[1, 2, 3]]]}), "nested 3 deep"),
        (ONE, body({**X, "data": 5}), "nested 0 deep"),
        (ONE, body({**X, "data": ["1", 2, 3]}), "FP32 values"),
        (ONE, body({**X, "data": [None, 2, 3]}), "FP32 values"),
        (ONE, body({**X, "data": [1e39, 2, 3]}), "out of the range of FP32"),
        (ONE, body(X).replace(b"2.5", b"NaN"), "not an array of FP32 values"),
        (ONE, body({key: value for key, value in X.items() if key != "data"}), "neither data nor"),
        (ONE, body({**X, "parameters": {"binary_data_size": 12}}), "both data and"),
        (ONE, body({**X, "parameters": {"shared_memory_region": "r"}}), "shared memory is not offered"),
        (ONE, body(X, outputs=[{"name": "z"}]), "unknown output 'z'"),
        (ONE, body(X, outputs=ONLY_Y * 2), "asked for twice"),
        (ONE, body(X, outputs=[{"name": "y", "parameters": {"classification": 0}}]), "not a number of classes"),
        (ONE, body(X, outputs=[{"name": "y", "parameters": {"classification": True}}]), "not a number of classes"),
        (ONE, body(X, outputs=[{"name": "y", "parameters": {"shared_memory_region": "r"}}]), "shared memory"),
        (ONE, body(X, parameters={"timeout": -1}), "timeout is a whole number"),
        (ONE, body(X, parameters={"priority": "high"}), "priority is a whole number"),
        (ONE, body(X).replace(b'"data"', b'"data":[9,9,9],"data"'), "twice"),
        (ONE, body(X, data=[1]), "outside of the inputs"),
        (ONE, body({**X, "data": [1, [2, 3]]}), "not an array of FP32"),
        (ONE, body(X, outputs=[{"name": "y", "parameters": {"binary_data": "yes"}}]), "true or false"),
        (ONE, body(X, parameters={"binary_data_output": 1}), "true or false"),
        (ONE, body(X, id=7), "id"),
        (SIGNATURE, body(X, {**IDS, "data": [128]}), "out of the range of INT8"),
        (SIGNATURE, body(X, {**IDS, "data": [1.5]}), "INT8 values"),
        (SIGNATURE, body(X, {**IDS, "data": [True]}), "INT8 values"),
        (SIGNATURE, body(X, {**IDS, "shape": [2], "data": [1, 2]}), "differ in dimension 'batch': 1 and 2"),
        (SIGNATURE, body(X, IDS, outputs=[]), "'half' is FP16"),
        (ONE, body({**X, "datatype": "BF16"}), "input 'x' is FP32, not 'BF16'"),
        (ONE, body({**X, "datatype": "BF8"}), "no datatype of the protocol"),
        (BRAIN, body({**X, "datatype": "BF16"}), "'y' is BF16, which has no JSON form"),
        (BRAIN, body({**X, "datatype": "BF16"}, parameters={"binary_data_output": True}), "BF16 has no JSON form"),
        (BRAIN, body(X, parameters={"binary_data_output": True}), "input 'x' is BF16, not 'FP32'"),
    ),
)
def test_a_json_request_is_refused_with_its_reason(signature: Signature, content: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        InferRequestDecoder(signature).decode(content)
    assert reason in caught.value.message
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("signature", "request_body", "reason"),
    (
        (ONE, binary(8, bytes(8)), "takes 12 bytes; 8 were given"),
        (ONE, binary(12, bytes(13)), "13 follow"),
        (ONE, binary(12, bytes(11)), "11 follow"),
        (ONE, binary(-12, bytes(12)), "not a number of bytes"),
        (ONE, binary("12", bytes(12)), "not a number of bytes"),
        (ONE, binary(True, bytes(1)), "not a number of bytes"),  # noqa: FBT003 - JSON's true
        (ONE, (b"{}", 3), "Inference-Header-Content-Length is 3"),
        (ONE, (bytes(24), 0), "takes 12 bytes; 24 were given"),
        (SIGNATURE, (bytes(12), 0), "one input"),
        (WORDS, (bytes(12), 0), "one element"),
        (WORDS, binary(4, bytes(4), name="t", datatype="BYTES", shape=[1, 2]), "more than the 4 bytes"),
        (WORDS, binary(9, b"\5\0\0\0abcde", name="t", datatype="BYTES", shape=[1, 2]), "has no length"),
        (WORDS, binary(10, b"\1\0\0\0a\2\0\0\0b", name="t", datatype="BYTES", shape=[1, 2]), "runs past the end"),
        (WORDS, binary(11, b"\1\0\0\0a\1\0\0\0bc", name="t", datatype="BYTES", shape=[1, 2]), "left over"),
    ),
)
def test_a_binary_request_is_refused_with_its_reason(
    signature: Signature, request_body: tuple[bytes, int], reason: str
) -> None:
    with pytest.raises(WireError) as caught:
        InferRequestDecoder(signature).decode(*request_body)
    assert reason in caught.value.message


@given(st.binary(max_size=60), st.none() | st.integers(0, 80))
def test_no_bytes_cause_anything_but_a_refusal(content: bytes, header_length: int | None) -> None:
    try:
        InferRequestDecoder(SIGNATURE).decode(content, header_length)
    except WireError as problem:
        assert problem.message  # noqa: PT017 - whether one is raised depends on the bytes


def test_a_changed_body_behind_a_remembered_header_is_checked_again() -> None:
    decoder = InferRequestDecoder(ONE)
    content, length = binary(12, struct.pack("<3f", 1, 2, 3))
    decoder.decode(content, length)
    with pytest.raises(WireError, match="11 follow"):
        decoder.decode(content[:-1], length)
    np.testing.assert_array_equal(
        [[4, 5, 6]], decoder.decode(content[:length] + struct.pack("<3f", 4, 5, 6), length).inputs["x"]
    )


def headed(start: bytes, end: bytes = b"") -> tuple[bytes, int]:
    """A binary request whose JSON begins and ends with something else than `inputs`."""
    content, length = binary(12, struct.pack("<3f", 1, 2, 3))
    header = b"{" + start + content[1 : length - 1] + end + b"}"
    return header + content[length:], len(header)


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_the_id_of_each_request_is_its_own_behind_a_remembered_header(ids: list[str]) -> None:
    decoder = InferRequestDecoder(ONE)
    decoder.decode(*headed(b""))

    for one in ids:
        for text in (json.dumps(one), json.dumps(one, ensure_ascii=False)):
            assert one == decoder.decode(*headed(b'"id":%b,' % text.encode())).id
    assert decoder.decode(*headed(b"")).id is None


def test_of_two_ids_the_last_one_counts_remembered_or_not() -> None:
    decoder = InferRequestDecoder(ONE)

    for _ in range(2):
        assert "b" == decoder.decode(*headed(b'"id":"a",', b',"id":"b"')).id
        assert "a" == decoder.decode(*headed(b'"id":"a",')).id


def test_an_id_of_control_characters_is_refused_behind_a_remembered_header_too() -> None:
    decoder = InferRequestDecoder(ONE)
    decoder.decode(*headed(b'"id":"a",'))

    with pytest.raises(WireError, match="not a valid inference request"):
        decoder.decode(*headed(b'"id":"a\nb",'))


@pytest.fixture
def read_layouts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The JSON that decoders had to read."""
    seen, read = [], LayoutReader.read

    def note(reader: LayoutReader, header: bytes, arrays: int) -> Layout:
        seen.append(header)
        return read(reader, header, arrays)

    monkeypatch.setattr(LayoutReader, "read", note)
    return seen


def test_requests_that_differ_in_their_id_only_are_read_once(read_layouts: list[bytes]) -> None:
    decoder = InferRequestDecoder(ONE)

    assert ["0", "1", "2"] == [decoder.decode(*headed(b'"id":"%d",' % number)).id for number in range(3)]
    assert 1 == len(read_layouts)


def test_priority_and_timeout_are_read_from_the_parameters() -> None:
    parameters = {"priority": 2, "timeout": 5000, "mine": "yes"}
    request = InferRequestDecoder(ONE).decode(body(X, parameters=parameters))
    assert (2, 5000, parameters) == (request.priority, request.timeout_us, request.parameters)


def test_a_timeout_of_0_is_none() -> None:
    assert InferRequestDecoder(ONE).decode(body(X, parameters={"timeout": 0})).timeout_us is None


def test_classes_may_be_asked_for_instead_of_values() -> None:
    outputs = [{"name": "half", "parameters": {"classification": 3}}]
    request = InferRequestDecoder(SIGNATURE).decode(body(X, IDS, outputs=outputs))
    assert (OutputWish("half", binary=False, classes=3),) == request.wishes


def test_json_requests_that_differ_in_id_and_numbers_only_are_read_once(read_layouts: list[bytes]) -> None:
    decoder = InferRequestDecoder(SIGNATURE)
    decoder.decode(b'{"id": "a", ' + body(X, IDS)[1:])

    request = decoder.decode(b'{"id": "b", ' + body({**X, "data": [7, 8, 9]}, {**IDS, "data": [-5]})[1:])

    assert ("b", [[7, 8, 9]], [-5]) == (request.id, request.inputs["x"].tolist(), request.inputs["ids"].tolist())
    with pytest.raises(WireError, match="2 values"):
        decoder.decode(b'{"id": "c", ' + body({**X, "data": [7, 8]}, IDS)[1:])
    assert 1 == len(read_layouts)
