"""What lies under a key counts only where it is the answer to exactly this question."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.arrays import arrays

from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.server.caching.answers import Entry
from modeldyno.server.caching.shared import Look, SharedAnswers
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.manual_store import ManualStore

TWO = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),),
    outputs=(
        TensorSpec(name="label", datatype="INT64", shape=("batch",)),
        TensorSpec(name="text", datatype="BYTES", shape=("batch", "n")),
    ),
)
QUESTION = b"what?"
ENTRY = Entry({"label": np.array([3, 5], np.int64), "text": np.array([[b"a", b""], [b"\xff", b"b"]], object)}, 7)


class Counts:
    def __init__(self) -> None:
        self.looks: Counter[Look] = Counter()
        self.kept: list[bool] = []

    def count_look(self, look: Look, ns: int) -> None:
        self.looks[look] += 1

    def count_sharing(self, *, is_kept: bool) -> None:
        self.kept.append(is_kept)


class Sharing:
    """Answers in a store, and what is heard of them."""

    def __init__(
        self,
        store: ManualStore | None = None,
        *,
        signature: Signature = TWO,
        ttl_ns: int | None = None,
        model: tuple[str, str] = ("m", "1"),
    ) -> None:
        self.store = store or ManualStore()
        self.counts = Counts()
        self.answers = SharedAnswers(
            self.store, model, signature, ttl_ns=ttl_ns, clock=ManualClock(), counts=self.counts
        )

    def look(self, question: bytes = QUESTION, rows: int = 2) -> tuple[Entry | None, int]:
        heard: list[tuple[Entry | None, int]] = []
        assert self.answers.look(question, rows, lambda entry, age_ns: heard.append((entry, age_ns)))
        self.store.answer()
        (found,) = heard
        return found


def same(one: Entry, other: Entry) -> bool:
    return one.saved_ns == other.saved_ns and all(
        one.outputs[name].tolist() == other.outputs[name].tolist()
        and one.outputs[name].dtype == other.outputs[name].dtype
        and one.outputs[name].shape == other.outputs[name].shape
        for name in one.outputs.keys() | other.outputs.keys()
    )


def test_an_answer_comes_back_as_it_was_given() -> None:
    sharing = Sharing()
    sharing.answers.keep(QUESTION, ENTRY)
    found, age_ns = sharing.look()
    assert found is not None
    assert same(ENTRY, found)
    assert (0, {"hit": 1}, [True]) == (age_ns, sharing.counts.looks, sharing.counts.kept)


@given(st.sampled_from(sorted(set(DATATYPES) - {"BYTES"})), st.data())
def test_so_do_tensors_of_all_datatypes(datatype: str, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3))
    signature = Signature(
        inputs=TWO.inputs, outputs=(TensorSpec(name="y", datatype=datatype, shape=("batch", "n")),)
    )  # fmt: skip
    array = data.draw(arrays(datatype, (rows, columns), allow_nan=False))
    sharing = Sharing(signature=signature)
    sharing.answers.keep(QUESTION, Entry({"y": array}, 0))
    found, _ = sharing.look(rows=rows)
    assert found is not None
    assert same(Entry({"y": array}, 0), found)


def test_two_questions_under_one_key_do_not_get_one_another_s_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    sharing = Sharing()
    key = sharing.answers.key_of(QUESTION)
    monkeypatch.setattr(SharedAnswers, "key_of", lambda _self, _question: key)
    sharing.answers.keep(b"another", ENTRY)
    assert (None, 0) == sharing.look()
    assert {"miss": 1} == sharing.counts.looks


def test_models_versions_namespaces_and_times_to_live_have_keys_of_their_own() -> None:
    other = ManualStore()
    other.namespace = b"other"
    sharings = [
        Sharing(),
        Sharing(model=("n", "1")),
        Sharing(model=("m", "2")),
        Sharing(other),
        Sharing(ttl_ns=10**9),
        Sharing(ttl_ns=2 * 10**9),
    ]
    keys = [sharing.answers.key_of(QUESTION) for sharing in sharings]
    assert len(keys) == len(set(keys))
    assert keys[0].startswith(b"test:1:m:1:")


def encoded(**changes: object) -> bytes:
    form = {
        "question": QUESTION,
        "saved_ns": 7,
        "outputs": [[[2], bytes(16)], [[2, 0], b""]],
        **changes,
    }
    return msgspec.msgpack.encode(list(form.values()))


def test_the_form_that_is_tried_with_faults_is_right_without_them() -> None:
    sharing = Sharing()
    sharing.store.contents[sharing.answers.key_of(QUESTION)] = encoded()
    found, _ = sharing.look()
    assert found is not None
    assert [0, 0] == found.outputs["label"].tolist()


@pytest.mark.parametrize(
    "content",
    (
        b"",
        b"garbage",
        b"\xc1",
        msgspec.msgpack.encode(5),
        msgspec.msgpack.encode([QUESTION]),
        encoded()[:-1],
        encoded() + b"\x00",
        encoded(question=b"another"),
        encoded(question=QUESTION.decode()),
        encoded(saved_ns=-1),
        encoded(saved_ns="7"),
        encoded(outputs=[]),
        encoded(outputs=[[[2], bytes(16)]]),
        encoded(outputs=[[[2], bytes(16)], [[2, 0], b""], [[2], bytes(16)]]),
        encoded(outputs=[[[2], bytes(15)], [[2, 0], b""]]),
        encoded(outputs=[[[3], bytes(24)], [[3, 0], b""]]),
        encoded(outputs=[[[2, 1], bytes(16)], [[2, 0], b""]]),
        encoded(outputs=[[[-2], bytes(16)], [[2, 0], b""]]),
        encoded(outputs=[[[2], bytes(16)], [[2, 1], b"\xff\xff\xff\xff"]]),
        encoded(outputs=[[[2], bytes(16)], [[2, 2**40], b""]]),
        encoded(outputs=[[[2], bytes(16)], [[2, -1], b""]]),
        b"\x93" * 100_000,
    ),
)
def test_anything_else_under_the_key_is_a_miss(content: bytes) -> None:
    sharing = Sharing()
    sharing.store.contents[sharing.answers.key_of(QUESTION)] = content
    assert (None, 0) == sharing.look()
    assert {"miss": 1} == sharing.counts.looks


@given(st.data())
def test_an_answer_with_changed_bytes_is_a_miss_or_fits_the_signature(data: st.DataObject) -> None:
    sharing = Sharing()
    sharing.answers.keep(QUESTION, ENTRY)
    key = sharing.answers.key_of(QUESTION)
    content = bytearray(sharing.store.contents[key])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    sharing.store.contents[key] = bytes(content)
    found, _ = sharing.look()
    assert found is None or ((2,), 2) == (found.outputs["label"].shape, len(found.outputs["text"]))


def test_an_output_that_cannot_be_sent_is_not_shared_either() -> None:
    sharing = Sharing()
    sharing.answers.keep(QUESTION, Entry({**ENTRY.outputs, "text": np.array([[1], [2]], object)}, 7))
    assert ({}, [False]) == (sharing.store.contents, sharing.counts.kept)


@pytest.mark.parametrize(("ttl_ns", "ttl_ms"), ((None, None), (10**9, 1000), (1, 1), (1_999_999, 1)))
def test_the_store_is_told_how_long_to_keep_it(ttl_ns: int | None, ttl_ms: int | None) -> None:
    sharing = Sharing(ttl_ns=ttl_ns)
    sharing.answers.keep(QUESTION, ENTRY)
    sharing.look()
    assert (ttl_ns is not None) == sharing.store.with_age
    assert [ttl_ms] == list(sharing.store.ttls_ms.values())


@pytest.mark.parametrize(("left_ms", "age_ns"), ((1000, 0), (400, 600 * 10**6), (0, 10**9), (5000, 0), (None, 0)))
def test_the_age_of_an_answer_is_what_of_its_time_is_over(left_ms: int | None, age_ns: int) -> None:
    sharing = Sharing(ttl_ns=10**9)
    sharing.answers.keep(QUESTION, ENTRY)
    sharing.store.left_ms = left_ms
    assert age_ns == sharing.look()[1]


def test_a_store_that_cannot_be_asked_is_an_error_and_calls_nobody() -> None:
    sharing = Sharing()
    sharing.store.is_up = False
    assert not sharing.answers.look(QUESTION, 2, lambda _entry, _age_ns: pytest.fail("nobody is to be called"))
    sharing.answers.keep(QUESTION, ENTRY)
    assert ({"error": 1}, [False]) == (sharing.counts.looks, sharing.counts.kept)
