from pathlib import Path

import numpy as np
import pytest

import modeldyno
from modeldyno.api.judging.remote_session import Outputs, RemoteSession
from modeldyno.errors import DataError, TargetError
from modeldyno.protocols import Tensors
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.running_server import RunningServer, make_model

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),),
    outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=("batch", 3)),),
)


def classify(inputs: Tensors) -> Outputs:
    """The class is which of the first three numbers is the largest."""
    raised = np.exp(inputs["x"][:, :3])
    return {"probabilities": (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)}


def with_limit(rows: int, asked: list[int]) -> RemoteSession:
    def ask(inputs: Tensors) -> Outputs | str:
        asked.append(len(inputs["x"]))
        return "too many rows" if len(inputs["x"]) > rows else classify(inputs)

    return RemoteSession("http://x", SIGNATURE, ask)


def test_a_batch_that_is_too_large_is_halved_once_and_for_all() -> None:
    asked: list[int] = []
    session = with_limit(3, asked)
    rows = np.random.default_rng(1).normal(size=(16, 4)).astype(np.float32)
    for _ in range(2):
        np.testing.assert_array_equal(classify({"x": rows})["probabilities"], session.run({"x": rows})["probabilities"])
    assert [16, 8, 4, 2] == asked[:4]
    assert {2} == set(asked[4:])


def test_a_row_that_is_refused_alone_is_an_error_with_the_servers_words() -> None:
    with pytest.raises(DataError) as caught:
        with_limit(0, []).run({"x": np.zeros((4, 4), np.float32)})
    assert "too many rows" == caught.value.why


def test_an_answer_of_another_length_is_no_answer() -> None:
    session = RemoteSession("http://x", SIGNATURE, lambda _: {"probabilities": np.zeros((1, 3), np.float32)})
    with pytest.raises(TargetError, match="answers 4 rows with the shape"):
        session.run({"x": np.zeros((4, 4), np.float32)})
    without = RemoteSession("http://x", SIGNATURE, lambda _: {})
    with pytest.raises(TargetError, match="without the output 'probabilities'"):
        without.run({"x": np.zeros((4, 4), np.float32)})


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    features = np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)
    labels = features[:, :3].argmax(axis=1)
    labels[:30] = (labels[:30] + 1) % 3
    np.savez(tmp_path / "rows.npz", X=features, y=labels)
    return tmp_path / "rows.npz"


def test_a_served_model_is_evaluated_over_both_protocols_and_against_itself(rows: Path) -> None:
    settings = ServerSettings(host="127.0.0.1", port=0, grpc_port=0)
    with RunningServer(make_model(classify, SIGNATURE, name="first"), settings=settings) as server:
        found = modeldyno.evaluate(server.url, data=rows, reference=f"grpc://{server.grpc_address}")
    assert found.quality is not None
    assert found.change is not None
    assert 0.9 == pytest.approx(found.quality.metrics["accuracy"].value)
    assert "log_loss" in found.quality.metrics
    assert 0 == found.change.flips


def test_of_several_models_one_is_named(rows: Path) -> None:
    models = [make_model(classify, SIGNATURE, name=name) for name in ("first", "second")]
    with RunningServer(*models, settings=ServerSettings(host="127.0.0.1", port=0)) as server:
        with pytest.raises(modeldyno.errors.UsageError, match="offers 2 models"):
            modeldyno.evaluate(server.url, data=rows)
        found = modeldyno.evaluate(server.url, data=rows, reach=modeldyno.Reach(model="second"))
    assert found.quality is not None


def test_a_server_that_refuses_says_why(rows: Path) -> None:
    def fail(_: Tensors) -> Outputs:
        raise ValueError("out of luck")

    with (
        RunningServer(
            make_model(fail, SIGNATURE, name="first"), settings=ServerSettings(host="127.0.0.1", port=0)
        ) as server,
        pytest.raises(TargetError, match="does not answer the rows"),
    ):
        modeldyno.evaluate(server.url, data=rows)
