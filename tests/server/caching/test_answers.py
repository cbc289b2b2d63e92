"""What makes requests equal, and what is kept of their answers."""

import gc
import tracemalloc
from itertools import combinations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tests.arrays import arrays

from modeldyno.records.deployment import Cache
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.server.caching.answers import AnswerCache, Entry, size_of
from modeldyno.server.caching.question import Questions
from modeldyno.testing.sessions import echo_signature, sum_signature
from modeldyno.wire.v2_client import encode_infer_request
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_parameters import Parameter
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_tensors import encode_binary
from modeldyno.wire.v2_wishes import OutputWish

MB = 10**6
PAIR = Signature(
    inputs=(
        TensorSpec(name="a", datatype="INT32", shape=("batch", "n")),
        TensorSpec(name="b", datatype="INT32", shape=("batch", "n")),
    ),
    outputs=(TensorSpec(name="y", datatype="INT32", shape=("batch",)),),
)


def question_of(
    request: InferRequest,
    signature: Signature,
    *,
    identity: tuple[str, ...] = ("m", "1", "sha256:0"),
    tenant: str = "",
) -> bytes:
    question = Questions(identity, signature).ask(request, tenant=tenant, max_bytes=MB)
    assert question is not None
    return question


def decode(document: dict[str, object], signature: Signature) -> InferRequest:
    return InferRequestDecoder(signature).decode(msgspec.json.encode(document))


def pair(a: list[int], b: list[int], shape: list[int], **more: object) -> dict[str, object]:
    tensors = [
        {"name": name, "datatype": "INT32", "shape": shape, "data": data}
        for name, data in zip("ab", (a, b), strict=True)
    ]
    return {"inputs": tensors, **more}


def request_of(array: NDArray[np.generic], **parameters: Parameter) -> InferRequest:
    return InferRequest(
        {"x": array}, len(array), array.size, (array.shape[1:],), (OutputWish("y", binary=True),), None,
        parameters=parameters,
    )  # fmt: skip


def test_the_form_the_order_the_id_and_the_wishes_make_no_difference() -> None:
    document = pair([1, 2], [3, 4], [1, 2])
    tensors = {"a": np.array([[1, 2]], "<i4"), "b": np.array([[3, 4]], "<i4")}
    body, header_length = encode_infer_request(tensors, PAIR)
    inputs = document["inputs"]
    assert isinstance(inputs, list)
    forms = [
        decode(document, PAIR),
        InferRequestDecoder(PAIR).decode(body, header_length),
        decode({**document, "inputs": inputs[::-1]}, PAIR),
        decode({**document, "id": "7", "outputs": [{"name": "y", "parameters": {"binary_data": True}}]}, PAIR),
        decode({**document, "parameters": {"timeout": 5_000_000, "priority": 1, "binary_data_output": True}}, PAIR),
    ]
    assert 1 == len({question_of(form, PAIR) for form in forms})


def test_all_that_can_change_the_answer_makes_a_difference() -> None:
    document = pair([1, 2], [3, 4], [1, 2])
    plain = decode(document, PAIR)
    questions = [
        question_of(plain, PAIR),
        question_of(decode(pair([3, 4], [1, 2], [1, 2]), PAIR), PAIR),
        question_of(decode(pair([1, 2], [3, 4], [2, 1]), PAIR), PAIR),
        question_of(decode(pair([1, 2], [3, 5], [1, 2]), PAIR), PAIR),
        *(
            question_of(decode({**document, "parameters": {"depth": value}}, PAIR), PAIR)
            for value in (1, 1.5, True, "1", None)
        ),
        question_of(plain, PAIR, tenant="somebody"),
        # MLServer's key is the payload alone: two models that are asked the same share an answer.
        question_of(plain, PAIR, identity=("other", "1", "sha256:0")),
        question_of(plain, PAIR, identity=("m", "2", "sha256:0")),
        question_of(plain, PAIR, identity=("m", "1", "sha256:1")),
    ]
    assert len(questions) == len(set(questions))


def test_nothing_can_be_shifted_from_one_part_into_the_next() -> None:
    texts = echo_signature("BYTES", ("batch", "n"))
    rows = [[b"ab", b""], [b"a", b"b"], [b"", b"ab"], [b"\x01\x00\x00\x00a", b""]]
    questions = [question_of(request_of(np.array([row], object)), texts) for row in rows]
    questions += [
        question_of(request_of(np.array([[b"ab"]], object)), texts, tenant=tenant) for tenant in ("a", "a]", '"')
    ]
    assert len(questions) == len(set(questions))


@given(st.sampled_from(sorted(set(DATATYPES) - {"BYTES"})), st.data())
def test_tensors_are_equal_when_their_bytes_are(datatype: str, data: st.DataObject) -> None:
    signature = echo_signature(datatype, ("batch", "n"))
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=3)
    one, other = (data.draw(arrays(datatype, shapes)) for _ in range(2))
    is_equal = one.shape == other.shape and encode_binary(one, datatype) == encode_binary(other, datatype)
    assert is_equal == (question_of(request_of(one), signature) == question_of(request_of(other), signature))
    swapped = one.astype(one.dtype.newbyteorder())
    assert question_of(request_of(one), signature) == question_of(request_of(swapped), signature)
    strided = np.asfortranarray(one)
    assert question_of(request_of(one), signature) == question_of(request_of(strided), signature)


def test_what_was_asked_before_makes_no_difference() -> None:
    signature = sum_signature()
    questions = Questions(("m", "1", "sha256:0"), signature)
    requests = [request_of(np.full((rows, 4), rows, np.float32)) for rows in (1, 3, 1, 2)]
    for tenant in ("", "somebody"):
        for request in requests:
            expected = question_of(request, signature, tenant=tenant)
            assert expected == questions.ask(request, tenant=tenant, max_bytes=MB)


def test_zeros_and_nans_of_unlike_bits_are_told_apart() -> None:
    signature = echo_signature("FP32", ("batch", "n"))
    bits = np.array([0x7FC00000, 0x7FC00001, 0xFFC00000, 0x00000000, 0x80000000], np.uint32)
    questions = [question_of(request_of(one.view(np.float32).reshape(1, 1)), signature) for one in bits]
    assert all(one != other for one, other in combinations(questions, 2))
    assert questions[0] == question_of(request_of(np.array([[np.nan]], np.float32)), signature)


def test_a_question_larger_than_an_entry_may_be_is_not_asked() -> None:
    asked = Questions(("m",), sum_signature())
    assert asked.ask(request_of(np.zeros((1, 4), np.float32)), tenant="", max_bytes=10) is None
    texts = Questions(("m",), echo_signature("BYTES", ("batch", "n")))
    assert texts.ask(request_of(np.array([[b"x" * 1000]], object)), tenant="", max_bytes=999) is None


def entry_of(number: int, size: int = 100) -> tuple[bytes, Entry]:
    question = number.to_bytes(8, "little") + bytes(200)
    return question, Entry({"y": np.full(size, number, np.int64)}, 5)


def test_it_takes_no_more_memory_than_it_was_given() -> None:
    max_bytes = MB
    cache = AnswerCache(Cache(max_bytes=max_bytes))
    tracemalloc.start()
    try:
        for number in range(3000):
            cache.keep(*entry_of(number), 0)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cache.used_bytes <= max_bytes
    assert 0.5 * max_bytes < used < max_bytes
    assert 100 < len(cache) < 3000


def test_texts_are_counted_with_what_they_hold() -> None:
    few = Entry({"y": np.array([b"x"] * 10, object)}, 0)
    much = Entry({"y": np.array([b"x" * 1000] * 10, object)}, 0)
    assert size_of(b"", few) + 10 * 999 == size_of(b"", much)


class Colliding(bytes):
    """A question whose hash is that of every other one."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 1


def test_questions_of_one_hash_do_not_get_one_another_s_answer() -> None:
    # Triton trusts a hash of 64 bits.
    cache = AnswerCache(Cache(max_bytes=MB))
    (_, one), (_, other) = entry_of(1), entry_of(2)
    cache.keep(Colliding(b"one"), one, 0)
    assert cache.find(Colliding(b"other"), 0) is None
    cache.keep(Colliding(b"other"), other, 0)
    assert (one, other) == (cache.find(Colliding(b"one"), 0), cache.find(Colliding(b"other"), 0))


def test_kept_answers_are_no_work_for_the_collector_of_cycles() -> None:
    cache = AnswerCache(Cache(max_bytes=10 * MB))
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1000):
        cache.keep(*entry_of(number), 0)
    assert 1000 == len(cache)
    assert len(gc.get_objects()) - before < 100


def test_an_answer_from_elsewhere_is_as_old_here_as_it_was_there() -> None:
    cache = AnswerCache(Cache(max_bytes=MB, ttl_ns=100))
    question, entry = entry_of(1)
    cache.keep(question, entry, 1000, age_ns=60)
    assert entry is cache.find(question, 1039)
    assert cache.find(question, 1040) is None
