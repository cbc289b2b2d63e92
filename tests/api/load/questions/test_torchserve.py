from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.api.load.questions.servers import Reply, Request, json_reply, load, serving, wrong_after

from modeldyno.api.load.questions.torchserve import management_url

MODELS = {"models": [{"modelName": "noop", "modelUrl": "noop.mar"}]}
BASIC = ("--protocol", "torchserve", "--model", "noop")


def torchserve(request: Request) -> Reply:
    """Answers of https://docs.pytorch.org/serve/inference_api.html and management_api.html."""
    path = urlsplit(request.path).path
    if path == "/models":
        return json_reply(MODELS)
    if path == "/predictions/noop":
        return json_reply({"class": request.body.decode("latin-1"), "probability": len(request.body) / 3})
    return json_reply({"code": 404, "type": "ModelNotFoundException", "message": "Model not found: x"}, 404)


def test_every_file_of_a_folder_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"\x89\x00")
    (tmp_path / "images" / "b.bin").write_bytes(b"\xff\xfe\xfd")
    with serving(torchserve) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--data", str(tmp_path / "images"), "--expected", "server")

    assert {} == loaded.failures
    assert {(b"\x89\x00", "image/png"), (b"\xff\xfe\xfd", "application/octet-stream")} == {
        (one.body, one.headers["content-type"]) for one in server.posts
    }
    assert {"/predictions/noop"} == {one.path for one in server.posts}
    assert loaded.rightness is not None
    assert "pass" == loaded.rightness[0]


def test_the_model_is_found_by_the_management_api(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"data": [1, 2]}\n')
    with serving(torchserve) as server:
        options = ("--protocol", "torchserve", "--data", str(tmp_path / "rows.jsonl"), "--management-url", server.url)
        loaded = load(server.url, tmp_path / "x", *options)

    assert "noop" == loaded.run["requested"]["model"]
    assert {b'{"data":[1,2]}'} == {one.body for one in server.posts}
    assert loaded.rightness is None


def test_answers_are_held_against_documents_with_a_tolerance(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("n\n1\n2\n")
    # The bodies {"n":1} and {"n":2} have 7 signs.
    (tmp_path / "right.jsonl").write_text('{"probability": 2.33333}\n' * 2)
    (tmp_path / "wrong.jsonl").write_text('{"probability": 2.33333}\n{"probability": 0.5}\n')
    with serving(torchserve) as server:
        asked = (*BASIC, "--data", str(tmp_path / "rows.csv"), "--expected")
        right = load(server.url, tmp_path / "a", *asked, str(tmp_path / "right.jsonl"))
        wrong = load(server.url, tmp_path / "b", *asked, str(tmp_path / "wrong.jsonl"))

    assert {} == right.failures
    assert ({"wrong_answer": 30}, 3) == (wrong.failures, wrong.code)
    assert wrong.rightness is not None
    assert "30 of 60 answers" in wrong.rightness[1]
    assert "request 1 of the data: probability: expected 0.5, got 2.333" in wrong.rightness[1]


def test_bytes_are_held_against_bytes(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("n\n1\n")
    # The first is asked before the load.
    with serving(wrong_after(31, lambda _: Reply(b"cat"), Reply(b"dog"))) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--data", str(tmp_path / "rows.csv"), "--expected", "server")

    assert {"wrong_answer": 30} == loaded.failures
    assert loaded.rightness is not None
    assert "expected 'cat', got 'dog'" in loaded.rightness[1]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    (
        (("--protocol", "torchserve"), 2, "--data FOLDER"),
        (
            ("--protocol", "torchserve", "--data", "{data}", "--management-url", "{url}/other"),
            5,
            "not a list of models",
        ),
        (("--protocol", "torchserve", "--data", "{data}", "--management-url", "http://127.0.0.1:9"), 5, "--model NAME"),
        ((*BASIC, "--data", "{data}", "--rows", "2"), 2, "holds one row"),
        ((*BASIC, "--data", "nowhere"), 2, "no data file nowhere"),
        ((*BASIC, "--data", "{data}", "--expected", "{two}"), 2, "has 2 rows, and the data have 1"),
        ((*BASIC, "--data", "{data}", "--shape", "x=3"), 2, "--shape means nothing"),
    ),
)
def test_what_cannot_be_asked_is_said_before_anything_is_recorded(
    tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "rows.csv").write_text("n\n1\n")
    (tmp_path / "two.csv").write_text("n\n1\n2\n")
    with serving(torchserve) as server:
        places = {"data": tmp_path / "rows.csv", "two": tmp_path / "two.csv", "url": server.url}
        loaded = load(server.url, tmp_path / "x", *(one.format(**places) for one in options))

    assert code == loaded.code
    assert said in loaded.said


def test_models_are_listed_on_port_8081_unless_it_is_said_otherwise() -> None:
    assert "http://127.0.0.1:8081" == management_url("http://127.0.0.1:8080/base")
    assert "https://[::1]:8081" == management_url("https://[::1]")
