import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from modeldyno.api.load.questions.v2 import unlike_requests
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.api.workshop.proof import proof_requests, prove_bundle, slug
from modeldyno.api.workshop.repetition import duplicate_share, entry_bytes, traffic_of
from modeldyno.clock import SystemClock
from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.protocols import Silent
from modeldyno.records.bundle import Bundle
from modeldyno.records.deployment import Cache
from modeldyno.records.files import read_record, write_record
from modeldyno.records.search import Search
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.records.workload import Repeats
from modeldyno.search.caching import with_cache
from modeldyno.search.space import deployment
from modeldyno.server.caching.question import Questions
from modeldyno.wire.v2_decoder import InferRequestDecoder

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
    outputs=(
        TensorSpec(name="y", datatype="FP32", shape=("batch", 10)),
        TensorSpec(name="word", datatype="BYTES", shape=("batch",)),
    ),
)


def rows(*values: int) -> ArrayDataset:
    return ArrayDataset("rows", {"x": np.array([[value, 0] for value in values], np.float32)})


@pytest.mark.parametrize(("values", "share"), (((1, 2, 3), 0.0), ((1, 2, 1, 1), 0.5), ((7, 7), 0.5)))
def test_the_share_of_rows_that_repeat_others_is_counted(values: tuple[int, ...], share: float) -> None:
    assert share == duplicate_share(rows(*values))


def test_the_data_decide_when_the_user_says_nothing() -> None:
    traffic = traffic_of(None, rows(1, 2, 1, 3), SIGNATURE, is_real_data=True, seed=1)
    assert (Repeats(share=0.25), "data") == (traffic.repeats, traffic.repeats_from)
    assert traffic.cache is not None


def test_unlike_rows_and_made_up_ones_speak_for_no_cache() -> None:
    for is_real_data, source in ((True, "data"), (False, "nothing")):
        traffic = traffic_of(None, rows(1, 2, 3), SIGNATURE, is_real_data=is_real_data, seed=1)
        assert (None, source, None) == (traffic.repeats, traffic.repeats_from, traffic.cache)


def test_what_the_user_says_outranks_the_data() -> None:
    traffic = traffic_of(Repeats(share=0.4), rows(1, 1, 1), SIGNATURE, is_real_data=True, seed=1)
    assert (Repeats(share=0.4), "asked") == (traffic.repeats, traffic.repeats_from)


def test_an_entry_takes_what_is_asked_and_answered_and_what_python_needs() -> None:
    assert 1000 < entry_bytes(rows(1), SIGNATURE) < 2000


def test_rows_that_run_out_are_other_questions_to_our_cache_under_another_parameter() -> None:
    requests, different = unlike_requests("m", rows(1, 2, 1), SIGNATURE, 5)
    questions = Questions(("m", "1"), SIGNATURE)
    asked = []
    for one in requests:
        length = int(dict(one.headers)["Inference-Header-Content-Length"])
        parsed = InferRequestDecoder(SIGNATURE).decode(one.body, length)
        asked.append(questions.ask(parsed, tenant="", max_bytes=10_000))

    assert 2 == different
    assert 5 == len(set(asked))


def test_a_proof_asks_as_many_different_questions_as_its_plan_has_new_ones() -> None:
    plan = workload_of("http://x", "m", 100, Shape(requests=900, repeats=Repeats(share=0.4)))
    few, many = rows(1, 2, 3), synthetic_dataset(SIGNATURE, rows=2_000, seed=1)

    assert (600, 3) == (len(proof_requests(plan, few, SIGNATURE)[0]), proof_requests(plan, few, SIGNATURE)[1])
    requests, marked_after = proof_requests(plan, many, SIGNATURE)
    assert (600, None) == (len(requests), marked_after)
    assert (3, None) == (len(proof_requests(workload_of("http://x", "m", 9, Shape()), few, SIGNATURE)[0]), None)


def test_the_proofs_with_and_without_a_cache_are_kept_apart() -> None:
    plain = deployment("onnx-fp32", "onnxruntime", threads=1, instances=1, batch=1)
    assert slug(plain) != slug(with_cache(plain, Cache(max_bytes=1_000_000)))


def test_a_proof_counts_what_the_cache_answered(tuned: tuple[Search, Path], wine: Path, tmp_path: Path) -> None:
    _, out = tuned
    shutil.copytree(out / "wine.bundle", tmp_path / "wine.bundle")
    bundle = read_record(tmp_path / "wine.bundle" / "bundle.json", Bundle)
    cached = replace(bundle, deployment=with_cache(bundle.deployment, Cache(max_bytes=10**6)))
    write_record(tmp_path / "wine.bundle" / "bundle.json", cached)
    plan = workload_of("http://x", "wine", 60, Shape(requests=180, repeats=Repeats(share=0.5)))
    requests, marked_after = proof_requests(plan, open_dataset(wine / "wine.npz", bundle.signature), bundle.signature)

    proof = prove_bundle(
        tmp_path / "wine.bundle",
        requests,
        (),
        workload_at=lambda url: replace(plan, url=url),
        directory=tmp_path / "proof",
        progress=Silent(),
        clock=SystemClock(),
    )

    assert 89 == marked_after  # of the 120 that are asked, the rows that there are
    assert {} == proof.summary.failures
    assert proof.cache_hits
    assert proof.cache_misses
    assert proof.repeated_fraction == pytest.approx(0.5, abs=0.15)
