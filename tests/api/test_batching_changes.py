"""What an operator sets otherwise than the bundle says, and padding that is only switched on when it is proven."""

import argparse
import json
import logging
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.api.served.server_process import ServerProcess
from modeldyno.api.served.sessions import without_unproven_padding
from modeldyno.cli.batching import add_batching, changes_of
from modeldyno.clock import SystemClock
from modeldyno.errors import UsageError
from modeldyno.protocols import Tensors
from modeldyno.records.bundle import Sample, Samples
from modeldyno.records.deployment import Batching, BatchingChanges, Buckets, Deployment, Lane
from modeldyno.records.search import Search
from modeldyno.testing.sessions import FunctionSession, echo_signature

SEQ = Buckets(dimension="seq", sizes=(4, 8))
SIGNATURE = echo_signature("FP32", ("batch", "seq"))
SAMPLES = Samples(
    samples=(Sample(inputs={"x": [[1.0, 2.0, 3.0]]}, outputs={"y": [[1.0, 2.0, 3.0]]}),),
    relative_tolerance=1e-4,
    absolute_tolerance=1e-5,
)


def changes(*words: str) -> BatchingChanges:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_batching(parser)
    return changes_of(parser.parse_args(words))


def bundled(max_delay_ns: int = 0) -> Deployment:
    return Deployment(artifact="a", runtime="onnxruntime", batching=Batching(max_rows=32, max_delay_ns=max_delay_ns))


def test_what_is_not_given_stays_as_the_bundle_says() -> None:
    assert bundled(max_delay_ns=5) == changes().apply(bundled(max_delay_ns=5))


def test_what_is_given_replaces_what_the_bundle_says() -> None:
    given = changes(
        "--timeout", "250ms", "--max-queue", "64", "--max-delay", "2ms", "--preferred-rows", "8,16",
        "--priorities", "16,-", "--default-priority", "2", "--bucket", "seq=4,8", "--pad-value", "-1",
    )  # fmt: skip
    expected = Deployment(
        artifact="a",
        runtime="onnxruntime",
        batching=Batching(
            max_rows=32,
            max_delay_ns=2_000_000,
            preferred_rows=(8, 16),
            lanes=(Lane(max_queued_rows=16), Lane()),
            default_priority=2,
            buckets=(SEQ,),
            pad_value=-1.0,
        ),
        max_queued_rows=64,
        timeout_ns=250_000_000,
    )
    assert expected == given.apply(bundled())


@pytest.mark.parametrize(
    "words",
    (("--timeout", "0ms"), ("--max-queue", "0"), ("--priorities", "3,x"), ("--bucket", "seq"), ("--bucket", "seq=0")),
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises((argparse.ArgumentError, UsageError)):
        changes(*words)


def test_padding_stays_on_where_the_samples_answers_stay_the_same() -> None:
    deployment = BatchingChanges(buckets=(SEQ,)).apply(bundled())
    session = FunctionSession(SIGNATURE, lambda inputs: {"y": inputs["x"]})
    assert deployment == without_unproven_padding(session, deployment, SAMPLES)


def test_padding_that_changes_answers_is_left_off_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def backwards(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        return {"y": inputs["x"][:, ::-1]}

    deployment = BatchingChanges(buckets=(SEQ,)).apply(bundled())
    with caplog.at_level(logging.WARNING, "modeldyno.server"):
        assert bundled() == without_unproven_padding(FunctionSession(SIGNATURE, backwards), deployment, SAMPLES)
    assert "padding is left off: output 'y' of a request with seq" in caplog.text


def test_a_bucket_of_a_dimension_that_is_not_there_is_refused() -> None:
    deployment = BatchingChanges(buckets=(Buckets(dimension="length", sizes=(4,)),)).apply(bundled())
    session = FunctionSession(SIGNATURE, lambda inputs: {"y": inputs["x"]})
    with pytest.raises(UsageError, match="'length'"):
        without_unproven_padding(session, deployment, SAMPLES)


def test_the_command_serves_with_the_changes(tuned: tuple[Search, Path], tmp_path: Path) -> None:
    words = ["serve", str(tuned[1] / "wine.bundle"), "--port", "0", "--json", "--timeout", "1ns"]
    with ServerProcess("modeldyno", words, log=tmp_path / "log", clock=SystemClock()) as server:
        url = json.loads(server.first_line)["url"]
        tensor = {"name": "input", "shape": [1, 13], "datatype": "FP32", "data": [0] * 13}
        body = json.dumps({"inputs": [tensor]}).encode()
        request = urllib.request.Request(f"{url}/v2/models/wine/infer", body)  # noqa: S310 - our own server
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)  # noqa: S310
    assert caught.value.code == 504
    caught.value.close()
