"""PyTorch programs compiled, frozen and recorded keep every rule of runtimes, and answer as the program itself does."""

import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import modeldyno
from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.api.artifacts.opening import artifact_of, open_artifact
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, ToolError, TrustError, UsageError
from modeldyno.models.examine import examine
from modeldyno.protocols import Session
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.testing import runtime_kit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FILE = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = torch.nn.Linear(16, 64), torch.nn.Linear(64, 3)

    def forward(self, x):
        return self.last(self.first(x).relu()).softmax(-1)


def make():
    return Net()


class Doubled(torch.nn.Module):
    def forward(self, x):
        return (x * 2).tanh()


class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words = torch.nn.Embedding(50, 8)

    def forward(self, ids, mask):
        return (self.words(ids) * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


class Broken(torch.nn.Module):
    def forward(self, x):
        kept = x[x[:, 0] > 5]
        return x[:, :3] + (kept.sum() if len(kept) else 0)


SIGNATURE = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 16]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": ["batch", 3]}],
}
make.signature = Broken.signature = SIGNATURE
make.task = "classification"
Doubled.signature = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 16]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": ["batch", 16]}],
}
Words.signature = {
    "inputs": [{"name": "ids", "datatype": "INT64", "shape": ["batch", "sequence"]},
               {"name": "mask", "datatype": "INT64", "shape": ["batch", "sequence"]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": ["batch", 8]}],
}
"""
ROWS: NDArray[np.float32] = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
NAMES = ("net.py:make", "net.pt2")
SETTINGS = (("net.py:make", "compiled"), ("net.pt2", "compiled"), ("net.pt", "frozen"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network as a Python file, torch.export and TorchScript."""
    torch: Any = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("modes")
    (folder / "net.py").write_text(FILE)
    names: dict[str, Any] = {"__name__": "net"}
    exec(compile(FILE, "net.py", "exec"), names)  # noqa: S102 - our own text
    net, example = names["make"]().eval(), torch.from_numpy(ROWS[:4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and says so
        shapes = {"x": {0: torch.export.Dim("batch")}}
        torch.export.save(torch.export.export(net, (example,), dynamic_shapes=shapes), folder / "net.pt2")
        torch.jit.save(torch.jit.trace(net, (example,)), folder / "net.pt")
    (folder / "net.signature.json").write_text(json.dumps(names["SIGNATURE"]))
    return folder


@pytest.fixture(scope="module")
def package(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The network compiled ahead of time."""
    return ahead(made / "net.py:make", tmp_path_factory.mktemp("package"))


def ahead(model: Path, folder: Path, recipe: str = "pytorch-aoti") -> Artifact:
    derivation = modeldyno.compress(
        model,
        recipes=[recipe],
        data=None,
        out=folder / recipe,
        slo="flip_rate<=99%",
        trust=True,
        budget_ns=4_000_000_000,
    )
    assert [] == [one.reason for one in derivation.refused]
    (made,) = derivation.made
    return made.assessed.artifact


def opened(path: Path, **settings: Any) -> Session:
    return open_artifact(artifact_of(examine(path, trust=True)), SessionSettings(**settings), trust=True)


def answers(session: Session, rows: NDArray[Any]) -> NDArray[np.float32]:
    (found,) = asked(session, {session.signature.inputs[0].name: rows})
    return found


def asked(session: Session, inputs: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    return [np.asarray(one, np.float32) for one in session.run(inputs).values()]


@pytest.mark.parametrize(("name", "mode"), SETTINGS)
def test_each_mode_keeps_every_rule_of_the_kit(made: Path, name: str, mode: str) -> None:
    model = examine(made / name, trust=True)

    class InMode:
        name, formats = "pytorch", frozenset({model.format})

        def open(self, path: Path, signature: Any, settings: SessionSettings) -> Session:
            runtime = runtime_named("pytorch", trust=True, entry=model.entry)
            return runtime.open(path, signature, SessionSettings(threads=settings.threads, mode=mode))

    rows = {model.signature.inputs[0].name: ROWS[:7]}
    runtime_kit.check_runtime(InMode(), Path(model.path), model.signature, rows)
    session = opened(made / name, mode=mode)
    runtime_kit.check_lock_released(session, {model.signature.inputs[0].name: ROWS[:1]}, SystemClock())


@pytest.mark.parametrize(("name", "mode"), SETTINGS)
def test_each_mode_answers_as_the_program_itself_does(made: Path, name: str, mode: str) -> None:
    plain, other = opened(made / name), opened(made / name, mode=mode)
    for rows in (1, 2, 3, 64, 200):
        np.testing.assert_allclose(answers(plain, ROWS[:rows]), answers(other, ROWS[:rows]), rtol=1e-4, atol=1e-6)


def compiled_graphs() -> int:
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


@pytest.mark.parametrize("name", NAMES)
def test_no_size_of_a_batch_is_compiled_after_opening(made: Path, name: str) -> None:
    session = opened(made / name, mode="compiled")
    before = compiled_graphs()
    for rows in (1, 2, 3, 5, 64, 200):
        answers(session, ROWS[:rows])
    assert before == compiled_graphs()


def test_no_length_of_a_text_is_compiled_after_opening(made: Path) -> None:
    plain, session = opened(made / "net.py:Words"), opened(made / "net.py:Words", mode="compiled")
    before = compiled_graphs()
    ids = np.arange(40).reshape(4, 10)
    for rows, length in ((1, 5), (2, 7), (4, 10), (3, 2)):
        inputs = {"ids": ids[:rows, :length], "mask": (ids[:rows, :length] % 3 > 0).astype(np.int64)}
        np.testing.assert_allclose(asked(plain, inputs), asked(session, inputs), rtol=1e-5, atol=1e-6)
    assert before == compiled_graphs()
    one = {"ids": ids[:2, :1], "mask": np.ones((2, 1), np.int64)}  # a size that only comes up now: right, if not fast
    np.testing.assert_allclose(asked(plain, one), asked(session, one), rtol=1e-5, atol=1e-6)


def test_the_ninth_session_of_a_module_is_compiled_like_the_first(made: Path) -> None:
    sessions = [opened(made / "net.py:make", mode="compiled") for _ in range(9)]
    before = compiled_graphs()
    expected = answers(sessions[0], ROWS)
    for session in sessions:
        np.testing.assert_array_equal(expected, answers(session, ROWS))
    assert before == compiled_graphs()


def test_sessions_may_be_compiled_and_asked_in_many_threads(made: Path) -> None:
    expected = answers(opened(made / "net.py:make"), ROWS)
    differences: list[float] = []

    def work(threads: int) -> None:
        session = opened(made / "net.py:make", mode="compiled", threads=threads)
        differences.extend(float(np.abs(expected - answers(session, ROWS)).max()) for _ in range(20))

    workers = [threading.Thread(target=work, args=(1 + number % 2,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert 80 == len(differences)
    assert max(differences) < 1e-5


def test_a_module_that_branches_on_values_is_compiled_as_far_as_it_can_be(made: Path) -> None:
    plain, session = opened(made / "net.py:Broken"), opened(made / "net.py:Broken", mode="compiled")
    for rows in (ROWS[:3], ROWS[:3] + 6):
        np.testing.assert_allclose(answers(plain, rows), answers(session, rows), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    (({"CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": "empty"}, "g++"), ({"HOME": "/proc/none"}, "[3, 3]")),
)
def test_without_a_compiler_its_command_is_named_and_a_home_is_not_needed(
    made: Path, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    program = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from modeldyno.api.artifacts.opening import artifact_of, open_artifact\n"
        "from modeldyno.errors import UsageError\n"
        "from modeldyno.models.examine import examine\n"
        "from modeldyno.records.deployment import SessionSettings\n"
        "original = artifact_of(examine(Path(sys.argv[1]), trust=True))\n"
        "try:\n"
        "    session = open_artifact(original, SessionSettings(mode='compiled'), trust=True)\n"
        "except UsageError as problem:\n"
        "    print(problem.hint)\n"
        "else:\n"
        "    print(list(session.run({'x': np.ones((3, 16), np.float32)})['y'].shape))\n"
    )
    environment = {**os.environ, **changes}
    done = subprocess.run(
        [sys.executable, "-c", program, str(made / "net.py:make")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert said in done.stdout.decode()


@pytest.mark.proves("PyTorch's machine code (AOTInductor)", files=".pt2", code=True, extra="torch")
def test_machine_code_goes_all_the_way(made: Path, package: Artifact, tmp_path: Path) -> None:
    from tests.formats import whole_way

    model = modeldyno.inspect(package.path, trust=True)
    original = examine(made / "net.py:make", trust=True)
    assert ("torch-aoti", original.signature, "classification") == (model.format, model.signature, model.task)
    assert (original.parameters, "fp32") == (model.parameters, model.precision)
    expected = answers(opened(made / "net.py:make"), ROWS)
    np.savez(tmp_path / "rows.npz", x=ROWS, label=expected.argmax(axis=1))
    search, bundle = whole_way.tune(
        Path(package.path), tmp_path / "rows.npz", tmp_path / "out", trust=True, label="label"
    )
    assert "original" in [one.artifact.name for one in search.assessed]
    outputs = whole_way.ask(bundle, {"x": ROWS[:3]}, arguments=["--trust"])
    np.testing.assert_allclose(expected[:3], outputs["y"], rtol=1e-4, atol=1e-6)


def test_machine_code_keeps_every_rule_of_the_kit(made: Path, package: Artifact) -> None:
    runtime = runtime_named("pytorch", trust=True)
    runtime_kit.check_runtime(runtime, Path(package.path), package.signature, {"x": ROWS[:7]})
    session = open_artifact(package, trust=True)
    runtime_kit.check_lock_released(session, {"x": ROWS[:1]}, SystemClock())
    for rows in (1, 2, 3, 200):
        expected = answers(opened(made / "net.py:make"), ROWS[:rows])
        np.testing.assert_allclose(expected, answers(session, ROWS[:rows]), rtol=1e-4, atol=1e-6)


def test_machine_code_of_a_program_and_of_bfloat16_answers_alike(made: Path, tmp_path: Path) -> None:
    expected = answers(opened(made / "net.py:make"), ROWS)
    exported = ahead(made / "net.pt2", tmp_path)
    np.testing.assert_allclose(expected, answers(open_artifact(exported, trust=True), ROWS), rtol=1e-4, atol=1e-6)
    if "bf16" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor does not compute in bfloat16")
    halved = ahead(made / "net.py:make", tmp_path, "pytorch-aoti-bf16")
    assert "bf16" == halved.precision
    error = float(np.abs(expected - answers(open_artifact(halved, trust=True), ROWS)).max())
    assert 1e-5 < error < 0.05


def test_machine_code_is_not_loaded_without_trust(package: Artifact) -> None:
    for attempt in (lambda: examine(Path(package.path), trust=False), lambda: open_artifact(package, trust=False)):
        with pytest.raises(TrustError, match="machine code") as caught:
            attempt()
        assert "--trust" in caught.value.hint


def test_machine_code_for_another_processor_is_refused(package: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("the flags here are those of x86")
    lacking = {"avx2": False, "avx512_f": False, "avx512_vnni": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: lacking)
    with pytest.raises(InputError, match="another processor") as caught:
        open_artifact(package, trust=True)
    assert "this one has no avx" in caught.value.why


def test_a_wrong_width_is_refused_where_compiled_code_would_read_on(made: Path, tmp_path: Path) -> None:
    packaged = open_artifact(ahead(made / "net.py:Doubled", tmp_path), trust=True)
    for session in (packaged, opened(made / "net.py:Doubled", mode="compiled"), opened(made / "net.py:Doubled")):
        for shape in ((2, 8), (2, 1), (16,), (2, 17)):
            with pytest.raises(ToolError) as caught:
                answers(session, np.ones(shape, np.float32))
            assert f"'x' has the shape {list(shape)}, not ['batch', 16]" == caught.value.why
        assert (2, 16) == answers(session, ROWS[:2]).shape


def test_a_cut_package_is_refused(package: Artifact, tmp_path: Path) -> None:
    whole = Path(package.path).read_bytes()
    (tmp_path / "cut.pt2").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="PyTorch cannot read"):
        examine(tmp_path / "cut.pt2", trust=True)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    (
        ("net.pt", {"mode": "compiled"}, "it knows frozen"),
        ("net.py:make", {"mode": "frozen"}, "compiled, cuda-graph"),
        ("net.py:make", {"mode": "cuda-graph"}, "on a GPU"),
    ),
)
def test_modes_that_a_program_does_not_know_are_refused(
    made: Path, name: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        opened(made / name, **settings)
    assert said in f"{caught.value.what}: {caught.value.why}"
