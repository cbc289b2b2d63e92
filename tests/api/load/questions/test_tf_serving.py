import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.api.load.questions.servers import Reply, Request, json_reply, load, serving, wrong_after


def tensor(dtype: str, *sizes: int) -> dict[str, Any]:
    shape = {"dim": [{"size": str(size), "name": ""} for size in sizes], "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": "t:0"}


METADATA = {
    "model_spec": {"name": "half", "signature_name": "", "version": "123"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {
                    "inputs": {"x": tensor("DT_FLOAT", -1, 2)},
                    "outputs": {"y": tensor("DT_FLOAT", -1, 2)},
                    "method_name": "tensorflow/serving/predict",
                },
                "kinds": {
                    "inputs": {"inputs": tensor("DT_STRING", -1)},
                    "outputs": {"classes": tensor("DT_STRING", -1), "scores": tensor("DT_FLOAT", -1, 2)},
                    "method_name": "tensorflow/serving/classify",
                },
            }
        }
    },
}


def half_plus_three(request: Request) -> Reply:
    """The toy model of the page https://www.tensorflow.org/tfx/serving/api_rest."""
    if request.path == "/v1/models/half/metadata":
        return json_reply(METADATA)
    if request.path == "/v1/models/half:predict":
        document = request.document
        (key,) = document
        rows = [[value / 2 + 3 for value in row] for row in document[key]]
        return json_reply({"predictions" if key == "instances" else "outputs": rows})
    if request.path == "/v1/models/half:classify":
        assert "kinds" == request.document["signature_name"]
        pairs = [[["no", 1 - one["age"] / 100], ["yes", one["age"] / 100]] for one in request.document["examples"]]
        return json_reply({"results": pairs})
    return json_reply({"error": "Servable not found for request: Latest(other)"}, 404)


BASIC = ("--protocol", "tf-serving", "--model", "half")


@pytest.mark.parametrize(("form", "key"), (("row", "instances"), ("column", "inputs")))
def test_rows_are_sent_as_the_signature_has_them(tmp_path: Path, form: str, key: str) -> None:
    with serving(half_plus_three) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--rows", "3", "--tensor-format", form)

    assert {} == loaded.failures
    assert ("tf-serving", "half") == (loaded.run["requested"]["protocol"], loaded.run["requested"]["model"])
    assert 60 == len(server.posts)
    assert {(key,)} == {tuple(one.document) for one in server.posts}
    assert {(3, 2)} == {np.shape(one.document[key]) for one in server.posts}


def test_answers_are_held_against_a_file_of_outputs(tmp_path: Path) -> None:
    data = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.savez(tmp_path / "data.npz", X=data)
    np.savez(tmp_path / "expected.npz", y=data / 2 + 3)
    np.savez(tmp_path / "wrong.npz", y=np.where(data == 5, 0, data / 2 + 3))
    with serving(half_plus_three) as server:
        asked = (*BASIC, "--data", str(tmp_path / "data.npz"), "--expected")
        right = load(server.url, tmp_path / "right", *asked, str(tmp_path / "expected.npz"))
        wrong = load(server.url, tmp_path / "wrong", *asked, str(tmp_path / "wrong.npz"))

    assert right.rightness is not None
    assert "pass" == right.rightness[0]
    assert "all 60 answers" in right.rightness[1]
    assert ({"wrong_answer": 15}, 3) == (wrong.failures, wrong.code)
    assert wrong.rightness is not None
    assert "request 2 of the data: y[0, 1]: expected 0.0, got 5.5" in wrong.rightness[1]
    assert {"checked": 60, "wrong": 15}.items() <= wrong.run["answers"].items()


def test_answers_are_held_against_the_servers_own_and_a_later_change_fails_the_run(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([[1, 2], [3, 4]], np.float32))
    # Two are asked before the load; then 40 right answers, and 20 of another model.
    changed = wrong_after(42, half_plus_three, json_reply({"predictions": [[0.0, 0.0]]}))
    with serving(changed) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--data", str(tmp_path / "data.npy"), "--expected", "server")

    assert ({"wrong_answer": 20}, 3) == (loaded.failures, loaded.code)
    assert 62 == len(server.posts)


def test_a_share_of_the_answers_is_checked(tmp_path: Path) -> None:
    with serving(half_plus_three) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--expected", "server", "--check", "0.5")

    assert 10 < loaded.run["answers"]["checked"] < 50
    assert 0.5 == loaded.run["answers"]["share"]


def test_features_of_a_classifier_come_from_a_table(tmp_path: Path) -> None:
    (tmp_path / "people.jsonl").write_text('{"age": 30, "name": "a", "y": 1}\n{"age": 60, "name": "b", "y": 0}\n')
    (tmp_path / "scores.jsonl").write_text('{"scores": [0.7, 0.3]}\n{"scores": [0.4, 0.6]}\n')
    options = ("--signature", "kinds", "--data", str(tmp_path / "people.jsonl"), "--label", "y")
    with serving(half_plus_three) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, *options, "--expected", str(tmp_path / "scores.jsonl"))

    assert {} == loaded.failures
    assert loaded.rightness is not None
    assert "pass" == loaded.rightness[0]
    # In no order: connections are threads of the server's, and either may be the first to write down what it read.
    asked = [json.loads(post.body)["examples"] for post in server.posts]
    assert [{"age": 30, "name": "a"}] in asked
    assert [{"age": 60, "name": "b"}] in asked


@pytest.mark.parametrize(
    ("options", "code", "said"),
    (
        (("--protocol", "tf-serving"), 2, "does not list its models"),
        (("--protocol", "tf-serving", "--model", "other"), 5, "Servable not found"),
        ((*BASIC, "--signature", "nothing"), 5, "it has kinds, serving_default"),
        ((*BASIC, "--signature", "kinds"), 2, "--data TABLE"),
        ((*BASIC, "--signature", "kinds", "--tensor-format", "column"), 2, "no columnar format"),
        ((*BASIC, "--shape", "7"), 2, "no dimension of an open length"),
        ((*BASIC, "--expected", "nowhere.csv"), 2, "--data FILE"),
        ((*BASIC, "--request", "a.http"), 2, "--request means nothing to the protocol tf-serving"),
        ((*BASIC, "--expected", "server", "--check", "0"), 2, "a share of 0"),
        ((*BASIC, "--expected", "server", "--tolerance", "-1"), 2, "a tolerance of -1"),
        ((*BASIC, "--check", "0.5"), 2, "means nothing without expected answers"),
    ),
)
def test_what_cannot_be_asked_is_said_before_anything_is_recorded(
    tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    with serving(half_plus_three) as server:
        loaded = load(server.url, tmp_path / "x", *options)

    assert code == loaded.code
    assert said in loaded.said
    assert not (tmp_path / "x").exists()


def test_a_server_whose_own_answers_are_errors_is_not_loaded(tmp_path: Path) -> None:
    with serving(wrong_after(0, half_plus_three, json_reply({"error": "out of memory"}, 500))) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--expected", "server")

    assert 5 == loaded.code
    assert "out of memory" in loaded.said
