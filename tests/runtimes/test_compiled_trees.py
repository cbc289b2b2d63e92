"""Compiled trees keep every rule of runtimes, and are loaded only for who vouches for them."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from modeldyno.children import ChildLimits
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, TrustError, UsageError
from modeldyno.models.conversion import convert_to_onnx
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import save_skops
from modeldyno.models.trees.compiling import compile_trees
from modeldyno.models.trees.library import load_compiled_trees
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.compiled_trees import CompiledTreesRuntime
from modeldyno.testing import models as samples
from modeldyno.testing import runtime_kit as kit

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

LIMITS = ChildLimits(timeout_ns=300 * 10**9, memory_bytes=8 * 2**30)
TRUSTED = CompiledTreesRuntime(partial(load_compiled_trees, trust=True))


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("forest")
    save_skops(samples.digits_forest(), folder / "forest.skops")
    model = examine(folder / "forest.skops", trust=False)
    converted = convert_to_onnx(
        model, folder / "forest.onnx", trust=False, timeout_ns=LIMITS.timeout_ns, memory_bytes=LIMITS.memory_bytes
    )
    return compile_trees(converted, folder / "forest.so", limits=LIMITS)


def test_they_keep_every_rule(forest: Artifact) -> None:
    rows = {"input": samples.digits()[0][:100]}
    kit.check_runtime(TRUSTED, Path(forest.path), forest.signature, rows)


def test_they_answer_as_the_forest_that_they_were(forest: Artifact) -> None:
    rows = samples.digits()[0]
    outputs = TRUSTED.open(Path(forest.path), forest.signature, SessionSettings()).run({"input": rows})
    label, scores = (np.asarray(outputs[spec.name], float) for spec in forest.signature.outputs)
    estimator = samples.digits_forest()
    np.testing.assert_allclose(estimator.predict_proba(rows), scores, atol=1e-6)
    np.testing.assert_array_equal(estimator.predict(rows), label)


def test_they_let_others_run_while_they_compute(forest: Artifact) -> None:
    session = TRUSTED.open(Path(forest.path), forest.signature, SessionSettings())
    kit.check_lock_released(session, {"input": samples.digits()[0].repeat(4, axis=0)}, SystemClock())


def test_without_a_word_for_them_they_are_not_loaded(forest: Artifact) -> None:
    with pytest.raises(TrustError, match="holds machine code"):
        CompiledTreesRuntime(partial(load_compiled_trees, trust=False)).open(
            Path(forest.path), forest.signature, SessionSettings()
        )


def test_settings_that_they_do_not_know_are_refused(forest: Artifact) -> None:
    with pytest.raises(UsageError, match="bf16"):
        TRUSTED.open(Path(forest.path), forest.signature, SessionSettings(precision="bf16"))


def test_another_library_is_no_trees(forest: Artifact, tmp_path: Path) -> None:
    (tmp_path / "m.so").write_bytes(b"hello")
    with pytest.raises(InputError, match="does not hold compiled trees") as caught:
        TRUSTED.open(tmp_path / "m.so", forest.signature, SessionSettings())
    assert "trees-compiled" in caught.value.hint


def test_without_a_compiler_the_command_that_installs_one_is_named(
    forest: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is no C compiler") as caught:
        compile_trees(forest, tmp_path / "m.so", limits=LIMITS)
    assert "apt install gcc" == caught.value.hint
