import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from tests.api.load.questions.servers import Reply, Request, json_reply, load, serving, wrong_after

from modeldyno.api.load.questions.template_share import TemplateShare, parse_template_share
from modeldyno.errors import UsageError

SCORE = """# of one review
POST /score?id={{id}}
Content-Type: application/json
X-Request: {{$uuid}}

{"text": "{{text}}", "stars": {{stars}}}
"""


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def reviews(folder: Path) -> str:
    return write(folder, "reviews.csv", 'id,text,stars\na b,"so ""good""",5\nc&d,bad,1\n')


def score(request: Request) -> Reply:
    return json_reply({"score": request.document["stars"] / 5, "at": request.path})


def test_rows_fill_the_template_in_turn(tmp_path: Path) -> None:
    with serving(score) as server:
        options = ("--request", write(tmp_path, "score.http", SCORE), "--data", reviews(tmp_path))
        loaded = load(server.url, tmp_path / "x", *options)

    assert {} == loaded.failures
    assert ("http", "score") == (loaded.run["requested"]["protocol"], loaded.run["requested"]["model"])
    sent = [(parse_qs(urlsplit(one.path).query)["id"], one.document) for one in server.posts]
    assert 30 == sent.count((["a b"], {"text": 'so "good"', "stars": 5}))
    assert 30 == sent.count((["c&d"], {"text": "bad", "stars": 1}))
    assert 2 == len({one.headers["x-request"] for one in server.posts})
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", server.posts[0].headers["x-request"])


def test_the_same_seed_makes_the_same_requests_and_another_makes_others(tmp_path: Path) -> None:
    template = write(tmp_path, "a.http", "POST /{{$row}}\n\n{{$uuid}}")
    bodies = []
    for number, seed in enumerate(("1", "1", "2")):
        with serving(lambda _: Reply(b"")) as server:
            load(server.url, tmp_path / str(number), "--request", template, "--seed", seed, "--connections", "1")
        bodies.append({(one.path, one.body) for one in server.posts})

    assert bodies[0] == bodies[1]
    assert not bodies[0] & bodies[2]
    assert 60 == len(bodies[0])


def test_several_templates_are_a_mix_by_weight(tmp_path: Path) -> None:
    put = write(tmp_path, "put.http", "PUT /cache/{{id}}\n\n{{text}}")
    ask = write(tmp_path, "ask.http", "GET /ask\nX-Stars: {{stars}}")
    with serving(lambda _: Reply(b"")) as server:
        options = ("--request", f"{put}:1", "--request", f"{ask}:3", "--data", reviews(tmp_path))
        loaded = load(server.url, tmp_path / "x", *options)

    sent = [one.method for one in server.seen if one.path != "/metrics"]
    assert (15, 45) == (sent.count("PUT"), sent.count("GET"))
    assert [{"kind": put, "share": 0.25}, {"kind": ask, "share": 0.75}] == loaded.run["requested"]["kind_mix"]
    assert {"/cache/a%20b", "/cache/c%26d"} == {one.path for one in server.seen if one.method == "PUT"}


def test_a_file_that_a_column_names_is_sent(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"\x89\x00")
    template = write(tmp_path, "image.http", "POST /p\nContent-Type: image/png\n\n{{file|content}}")
    with serving(lambda _: Reply(b"")) as server:
        load(server.url, tmp_path / "x", "--request", template, "--data", str(tmp_path / "images"))

    assert {b"\x89\x00"} == {one.body for one in server.posts}


def test_arrays_fill_json(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=np.arange(4).reshape(2, 2))
    template = write(tmp_path, "a.http", 'POST /p\n\n{"inputs": {{X}}}')
    with serving(lambda _: Reply(b"")) as server:
        load(server.url, tmp_path / "x", "--request", template, "--data", str(tmp_path / "rows.npz"))

    assert {b'{"inputs": [0,1]}', b'{"inputs": [2,3]}'} == {one.body for one in server.posts}


def test_an_expected_status_is_a_success_and_another_a_failure_by_kind(tmp_path: Path) -> None:
    template = write(tmp_path, "a.http", "POST /p\nexpect-status: 404\n\n")
    with serving(wrong_after(40, lambda _: Reply(b"", 404), Reply(b""))) as server:
        loaded = load(server.url, tmp_path / "x", "--request", template)

    assert {"http_200": 20} == loaded.failures
    assert loaded.rightness is None


def test_a_body_without_the_expected_pattern_is_a_wrong_answer(tmp_path: Path) -> None:
    template = write(tmp_path, "a.http", "POST /p\nexpect-body: score.: 0[.]\\d\n\n")
    with serving(wrong_after(40, lambda _: Reply(b'{"score": 0.5}'), Reply(b'{"score": null}'))) as server:
        loaded = load(server.url, tmp_path / "x", "--request", template)

    assert ({"wrong_answer": 20}, 3) == (loaded.failures, loaded.code)
    assert loaded.rightness is not None
    assert "20 of 60 answers that were held against the request file" in loaded.rightness[1]


def test_expected_answers_go_with_the_rows_of_the_data(tmp_path: Path) -> None:
    right = write(tmp_path, "right.jsonl", '{"score": 1.0}\n{"score": 0.20000001}\n')
    wrong = write(tmp_path, "wrong.jsonl", '{"score": 1.0}\n{"score": 0.3}\n')
    with serving(score) as server:
        options = ("--request", write(tmp_path, "s.http", SCORE), "--data", reviews(tmp_path), "--expected")
        good = load(server.url, tmp_path / "a", *options, right)
        bad = load(server.url, tmp_path / "b", *options, wrong)

    assert {} == good.failures
    assert {"wrong_answer": 30} == bad.failures
    assert bad.rightness is not None
    assert "request 1 of the data: score: expected 0.3, got 0.2" in bad.rightness[1]


def test_the_servers_own_answers_are_asked_for_with_its_own_headers(tmp_path: Path) -> None:
    options = ("--request", write(tmp_path, "s.http", SCORE), "--data", reviews(tmp_path), "--expected", "server")
    with serving(score) as server:
        loaded = load(server.url, tmp_path / "x", *options, "--header", "Authorization: Bearer k")

    assert {} == loaded.failures
    assert 62 == len(server.posts)
    assert {("Bearer k", "application/json")} == {
        (one.headers["authorization"], one.headers["content-type"]) for one in server.posts
    }


@pytest.mark.parametrize(
    ("template", "options", "said"),
    (
        ("POST /{{other}}", ("--data", "{data}"), "line 1 of {template} draws from 'other', which is no column"),
        ("POST /{{other}}", ("--data", "{data}"), "the columns are id, text, stars"),
        ("POST /{{id}}", (), "there are no data"),
        ("POST /{{id|b64}}", (), "unknown filter 'b64'"),
        ("POST", (), "line 1 of {template}: 'POST' is not a request line"),
        ("POST /p\n\n{{text|content}}", ("--data", "{data}"), "which row 0 of the data names"),
        ("POST /p\nContent-Length: 3\n\nabc", (), "'Content-Length' cannot be set"),
        ("POST /p", ("--rows", "2"), "leave out --rows"),
        ("POST /p", ("--expected", "{data}"), "--data FILE"),
        ("POST /p", ("--request", "{template}"), "named twice"),
        ("POST /p", ("--request", "{template}:0"), "not above 0"),
        ("POST /p", ("--request", "nowhere.http"), "cannot read the request nowhere.http"),
        ("POST /p", ("--protocol", "oip"), "--request means nothing to the protocol oip"),
    ),
)
def test_what_cannot_be_asked_is_said_before_anything_is_recorded(
    tmp_path: Path, template: str, options: tuple[str, ...], said: str
) -> None:
    places = {"template": write(tmp_path, "t.http", template), "data": reviews(tmp_path)}
    with serving(lambda _: Reply(b"")) as server:
        given = [one.format(**places) for one in options]
        loaded = load(server.url, tmp_path / "x", "--request", places["template"], *given)

    assert 2 == loaded.code
    assert said.format(**places) in loaded.said


def test_the_protocol_http_needs_a_template(tmp_path: Path) -> None:
    loaded = load("http://127.0.0.1:9", tmp_path / "x", "--protocol", "http")

    assert 2 == loaded.code
    assert "--request FILE.http" in loaded.said


def test_a_line_of_the_data_without_a_member_is_named(tmp_path: Path) -> None:
    template = write(tmp_path, "t.http", "POST /{{a}}")
    lines = write(tmp_path, "rows.jsonl", '{"a": 1}\n{"b": 1}\n')

    loaded = load("http://127.0.0.1:9", tmp_path / "x", "--request", template, "--data", lines)

    assert 2 == loaded.code
    assert "row 1 of the data (counted from 0) has no 'a'" in loaded.said


@pytest.mark.parametrize(
    ("text", "share"),
    (
        ("a.http", TemplateShare(path="a.http")),
        ("a.http:0.9", TemplateShare(path="a.http", weight=0.9)),
        ("a:b.http", TemplateShare(path="a:b.http")),
        ("dir:1/a.http:2", TemplateShare(path="dir:1/a.http", weight=2)),
    ),
)
def test_a_weight_is_what_follows_the_last_colon(text: str, share: TemplateShare) -> None:
    assert share == parse_template_share(text)


@pytest.mark.parametrize("text", ("a:0", "a:-1", "a:1e999", "a:.."))
def test_a_weight_that_is_not_above_zero_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a weight that is not above 0"):
        parse_template_share(text)
