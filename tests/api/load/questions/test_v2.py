from pathlib import Path

import numpy as np
import pytest
from tests.api.load.questions.servers import Reply, Request, json_reply, load, serving, wrong_after

BASIC = ("--protocol", "oip-json", "--model", "sum")
METADATA = {
    "name": "sum",
    "inputs": [{"name": "x", "datatype": "INT64", "shape": [-1, -1]}],
    "outputs": [{"name": "y", "datatype": "INT64", "shape": [-1]}],
}


def adder(request: Request) -> Reply:
    """The sum of each row, by the Open Inference Protocol in JSON."""
    if request.method != "POST":
        return json_reply(METADATA)
    document = request.document
    (rows, _), data = document["inputs"][0]["shape"], document["inputs"][0]["data"]
    sums = np.array(data).reshape(rows, -1).sum(axis=1).tolist()
    output = {"name": "y", "datatype": "INT64", "shape": [rows], "data": sums}
    return json_reply({"model_name": "sum", "id": document["id"], "outputs": [output]})


def test_every_request_has_an_id_and_its_answer_has_the_same(tmp_path: Path) -> None:
    with serving(adder) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC)

    assert {} == loaded.failures
    assert 60 == len({one.document["id"] for one in server.posts})


def test_answers_to_another_request_fail_the_run(tmp_path: Path) -> None:
    swapped = json_reply({"id": "dyno-999999", "outputs": []})
    with serving(wrong_after(40, adder, swapped)) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC)

    assert ({"mismatched": 20}, 3) == (loaded.failures, loaded.code)
    assert loaded.rightness == ("fail", "20 of 60 requests got the answer to another one")


def test_shapes_are_kinds_of_a_mix(tmp_path: Path) -> None:
    with serving(adder) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--shape", "dim1=16:3,128:1", "--rows", "2")

    lengths = [one.document["inputs"][0]["shape"] for one in server.posts]
    assert (45, 15) == (lengths.count([2, 16]), lengths.count([2, 128]))
    assert [{"kind": "dim1=16", "share": 0.75}, {"kind": "dim1=128", "share": 0.25}] == (
        loaded.run["requested"]["kind_mix"]
    )
    assert {} == loaded.failures


def test_one_shape_is_no_mix_and_its_answers_can_be_checked(tmp_path: Path) -> None:
    with serving(adder) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--shape", "5", "--expected", "server")

    assert [] == loaded.run["requested"].get("kind_mix", [])
    assert {(1, 5)} == {tuple(one.document["inputs"][0]["shape"]) for one in server.posts}
    assert loaded.rightness is not None
    assert "pass" == loaded.rightness[0]


def test_the_only_output_may_be_called_otherwise_in_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([[1, 2], [3, 4], [5, 6]]))
    (tmp_path / "sums.csv").write_text("total\n3\n7\n0\n")
    options = ("--data", str(tmp_path / "data.npy"), "--expected", str(tmp_path / "sums.csv"))
    with serving(adder) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, *options)

    assert {"wrong_answer": 20} == loaded.failures
    assert loaded.rightness is not None
    assert "request 2 of the data: y[0]: expected 0, got 11" in loaded.rightness[1]


def test_a_mix_of_rows_is_held_against_its_own_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([[1, 2], [3, 4], [5, 6]]))
    np.save(tmp_path / "sums.npy", np.array([3, 7, 11]))
    options = ("--data", str(tmp_path / "data.npy"), "--expected", str(tmp_path / "sums.npy"), "--rows", "1,3")
    with serving(adder) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, *options)

    assert {} == loaded.failures
    assert {1, 3} == {one.document["inputs"][0]["shape"][0] for one in server.posts}


@pytest.mark.parametrize(
    ("options", "said"),
    (
        (("--shape", "seq=5"), "no open dimension 'seq'"),
        (("--shape", "5", "--rows", "1,2"), "cannot be had at once"),
        (("--shape", "5", "--data", "{data}"), "leave out --shape or --data"),
        (("--shape", "5", "--expected", "{data}"), "leave out --shape"),
        (("--data", "{data}", "--expected", "{other}"), "has 1 rows, and the data have 2"),
        (("--data", "{data}", "--expected", "{none}"), "there is no data file"),
        (("--data", "{data}", "--expected", "{texts}"), "it is not clear which column"),
    ),
)
def test_what_does_not_go_together_is_said(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    np.save(tmp_path / "data.npy", np.array([[1, 2], [3, 4]]))
    np.save(tmp_path / "other.npy", np.array([1]))
    (tmp_path / "texts.csv").write_text("a,b\nx,1\ny,2\n")
    places = {name: tmp_path / f"{name}.npy" for name in ("data", "other", "none")} | {"texts": tmp_path / "texts.csv"}
    with serving(adder) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, *(one.format(**places) for one in options))

    assert 2 == loaded.code
    assert said in loaded.said


def test_an_output_that_the_file_does_not_name_is_not_looked_at(tmp_path: Path) -> None:
    two = {**METADATA, "outputs": [{"name": name, "datatype": "INT64", "shape": [-1]} for name in ("y", "z")]}

    def answer(request: Request) -> Reply:
        return adder(request) if request.method == "POST" else json_reply(two)

    np.save(tmp_path / "data.npy", np.array([[1, 2]]))
    np.savez(tmp_path / "y.npz", y=np.array([3]))
    np.savez(tmp_path / "w.npz", w=np.array([3]))
    with serving(answer) as server:
        asked = (*BASIC, "--data", str(tmp_path / "data.npy"), "--expected")
        some = load(server.url, tmp_path / "a", *asked, str(tmp_path / "y.npz"))
        none = load(server.url, tmp_path / "b", *asked, str(tmp_path / "w.npz"))

    assert {} == some.failures
    assert "it has w; the outputs are y, z" in none.said


@pytest.mark.parametrize("datatype", ("BF16", "FP16"))
def test_halves_in_json_are_refused_before_anything_is_sent(tmp_path: Path, datatype: str) -> None:
    halves = {**METADATA, "outputs": [{"name": "y", "datatype": datatype, "shape": [-1]}]}
    with serving(lambda _: json_reply(halves)) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC)

    assert 2 == loaded.code
    assert f"'y' of model 'sum' is {datatype}, which has no JSON form" in loaded.said
    assert "--protocol oip" in loaded.said
    assert [] == server.posts


def test_texts_that_are_no_text_are_refused_in_json(tmp_path: Path) -> None:
    texts = {**METADATA, "inputs": [{"name": "x", "datatype": "BYTES", "shape": [-1, 1]}]}
    np.savez(tmp_path / "rows.npz", x=np.array([[b"\xff\xfe"]]))
    with serving(lambda _: json_reply(texts)) as server:
        loaded = load(server.url, tmp_path / "x", *BASIC, "--data", str(tmp_path / "rows.npz"))

    assert 2 == loaded.code
    assert "not UTF-8" in loaded.said
    assert "--protocol oip" in loaded.said
