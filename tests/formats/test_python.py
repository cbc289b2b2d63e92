"""Python callables all the way."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.formats import whole_way

import modeldyno
from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.errors import InputError, ToolError, TrustError, UsageError
from modeldyno.models.examine import examine
from modeldyno.protocols import Runtime
from modeldyno.records.deployment import SessionSettings
from modeldyno.testing import runtime_kit

WEIGHED = """
from pathlib import Path

import numpy as np


class Weighed:
    signature = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 3]}],
        "outputs": [{"name": "label", "datatype": "INT64", "shape": ["batch"]},
                    {"name": "probabilities", "datatype": "FP32", "shape": ["batch", 2]}],
    }
    task = "classification"
    classes = (0, 1)
    files = ("numbers/weights.npy",)

    def __init__(self):
        self._weights = np.load(Path(__file__).parent / "numbers" / "weights.npy")

    def __call__(self, inputs):
        share = 1 / (1 + np.exp(-inputs["x"] @ self._weights))
        return {"label": share > 0.5, "probabilities": np.stack([1 - share, share], axis=1)}
"""


@pytest.fixture
def weighed(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "numbers").mkdir(parents=True)
    np.save(folder / "numbers" / "weights.npy", np.array([1, -2, 0.5], np.float32))
    (folder / "model.py").write_text(WEIGHED)
    return folder / "model.py:Weighed"


def runtime(entry: str = "Weighed") -> Runtime:
    return runtime_named("python", trust=True, entry=entry)


def rows(count: int = 40) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)


def test_what_it_says_of_itself_is_believed_and_tried(weighed: Path) -> None:
    model, folder = examine(weighed, trust=True), weighed.parent
    assert ("Weighed", "Weighed", "python", "classification") == (model.name, model.entry, model.format, model.task)
    assert ("numbers/weights.npy",) == model.files
    sizes = [(folder / name).stat().st_size for name in ("model.py", *model.files)]
    assert sum(sizes) == model.size_bytes


def test_its_digest_is_that_of_all_its_files(weighed: Path) -> None:
    before = examine(weighed, trust=True).digest
    np.save(weighed.parent / "numbers" / "weights.npy", np.array([1, -2, 0.25], np.float32))
    assert before != examine(weighed, trust=True).digest


def test_the_runtime_keeps_every_rule_of_the_kit(weighed: Path) -> None:
    signature = examine(weighed, trust=True).signature
    runtime_kit.check_runtime(runtime(), weighed.with_name("model.py"), signature, {"x": rows()})


def test_it_is_not_run_without_trust(weighed: Path) -> None:
    (weighed.parent / "model.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(TrustError, match="is Python code, and was not run"):
        examine(weighed, trust=False)


@pytest.mark.proves("Python function or class", files="file.py:name", code=True)
def test_it_goes_all_the_way_and_is_served_to_those_who_trust_it(weighed: Path, tmp_path: Path) -> None:
    data, answers = rows(300), rows(300) @ np.array([1, -2, 0.5], np.float32)
    np.savez(tmp_path / "rows.npz", x=data, y=(answers > 0).astype(int))
    evaluation = modeldyno.evaluate(weighed, data=tmp_path / "rows.npz", trust=True)
    assert evaluation.quality is not None
    search, bundle = whole_way.tune(weighed, tmp_path / "rows.npz", tmp_path / "out", trust=True)
    assert ["original"] == [one.artifact.name for one in search.assessed]
    assert (bundle / "artifact" / "numbers" / "weights.npy").is_file()
    outputs = whole_way.ask(bundle, {"x": data[:5]}, arguments=["--trust"])
    np.testing.assert_array_equal(answers[:5] > 0, outputs["label"])
    with pytest.raises(ToolError, match="ended before it was ready") as caught:
        whole_way.ask(bundle, {"x": data[:5]})
    assert "is Python code, and was not run" in caught.value.why


SAID = '{"inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 3]}], "outputs": [%s]}'
VALUE = '{"name": "value", "datatype": "FP32", "shape": ["batch"]}'
EMPTY = "def f(inputs): return {}\nf.signature = "
ONE = "def f(inputs): return 1\nf.signature = "


@pytest.mark.parametrize(
    ("text", "said"),
    (
        ("def f(:", "line 1: invalid syntax"),
        ("import numpy\nraise ValueError('no weights')", "line 2: ValueError: no weights"),
        ("g = 1", "holds no callable named 'f'"),
        ("f = 1", "it is of type int"),
        ("class f:\n    def __init__(self):\n        open('/no/such/file')", "line 3: FileNotFoundError"),
        ("def f(inputs): return {}", "has no `signature`"),
        (EMPTY + "{'inputs': 3}", "Expected `array`, got `int`"),
        (EMPTY + "{'inputs': [], 'outputs': []}", "no inputs or no outputs"),
        (EMPTY + SAID % VALUE.replace("FP32", "FLOAT"), "unknown datatype 'FLOAT'"),
        (EMPTY + SAID % VALUE.replace("FP32", "BF16"), "is BF16"),
        (EMPTY + SAID % VALUE, "KeyError: 'value'"),
        (ONE + SAID % VALUE, "it gave int, not a dictionary"),
        (f"def f(inputs): return {{'value': inputs['x']}}\nf.signature = {SAID % VALUE}", "has the shape [1, 3]"),
        (ONE + SAID % VALUE + "\nf.files = ['../a']", "names the file '../a'"),
        (ONE + SAID % VALUE + "\nf.files = ['missing']", "no such file"),
        (f"def f(inputs): return {{'value': [1]}}\nf.task = 'dream'\nf.signature = {SAID % VALUE}", "task 'dream'"),
    ),
)
def test_what_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(InputError) as caught:
        examine(tmp_path / "wrong.py:f", trust=True)
    assert said in f"{caught.value.what}; {caught.value.why}"


def test_a_python_file_without_a_name_in_it_is_asked_for_one(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("predict = print")
    with pytest.raises(InputError, match="is a Python file") as caught:
        examine(tmp_path / "model.py", trust=True)
    assert caught.value.hint.endswith("model.py:predict")


def test_what_it_raises_later_is_an_error_of_one_batch(tmp_path: Path) -> None:
    moody = "def f(inputs):\n    if len(inputs['x']) > 2: raise ValueError('too many')\n"
    (tmp_path / "moody.py").write_text(
        f"{moody}    return {{'value': inputs['x'][:, 0]}}\nf.signature = {SAID % VALUE}"
    )
    signature = examine(tmp_path / "moody.py:f", trust=True).signature
    session = runtime("f").open(tmp_path / "moody.py", signature, SessionSettings())
    with pytest.raises(ToolError, match="could not compute") as caught:
        session.run({"x": rows(3)})
    assert "ValueError: too many" == caught.value.why
    assert 2 == len(session.run({"x": rows(2)})["value"])


def test_settings_that_mean_nothing_to_it_are_refused(weighed: Path) -> None:
    signature = examine(weighed, trust=True).signature
    with pytest.raises(UsageError, match="cannot be asked for 'compiled'"):
        runtime().open(weighed.with_name("model.py"), signature, SessionSettings(mode="compiled"))
