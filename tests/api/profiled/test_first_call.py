from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from onnx import TensorProto
from tests.reports import samples as reports

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.api.profiled import first_call
from modeldyno.api.profiled.first_call import FirstCallTerms, first_calls
from modeldyno.clock import SystemClock
from modeldyno.errors import DynoError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.records.anatomy import ColdStart, MemoryUse
from modeldyno.search.space import deployment
from modeldyno.testing import models as samples
from modeldyno.testing.clock import ManualClock


def called(path: Path, batch: dict[str, np.ndarray], *, repeats: int = 1) -> tuple[ColdStart, MemoryUse]:
    return first_calls(
        artifact_of(examine(path, trust=False)),
        deployment("original", "onnxruntime", threads=1, instances=1, batch=1),
        batch,
        repeats=repeats,
        terms=FirstCallTerms(trust=False, environment=capture_environment(), deadline_ns=0),
        clock=SystemClock(),
    )


def test_a_fresh_process_tells_every_step_to_the_first_answer_and_what_it_holds(tmp_path: Path) -> None:
    path = samples.write_dense_onnx(tmp_path / "dense.onnx", width=512)
    cold, memory = called(path, {"x": np.ones((1, 512), np.float32)}, repeats=16)
    assert (1, 16) == (cold.processes, memory.largest_batch_rows)
    steps = (cold.process_ns, cold.library_ns, cold.load_ns, cold.first_ns)
    assert all(step.value > 0 for step in (*steps, cold.warm_ns))
    assert cold.total_ns.value == sum(step.value for step in steps)
    assert memory.model_bytes > 4 * 512 * 512 * 4 / 2
    assert memory.peak_bytes > memory.runtime_bytes > 1_000_000


def test_texts_travel_to_the_process_too(tmp_path: Path) -> None:
    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.STRING)
    texts = np.empty((1, 2), object)
    texts[:] = [[b"one", "zwölf".encode()]]
    assert called(path, {"x": texts})[0].first_ns.value > 0


def test_a_model_that_a_fresh_process_cannot_open_is_an_error(tmp_path: Path) -> None:
    path = samples.write_dense_onnx(tmp_path / "dense.onnx", width=8)
    artifact = replace(artifact_of(examine(path, trust=False)), path=str(tmp_path / "gone.onnx"))
    with pytest.raises(DynoError, match="gone"):
        first_calls(
            artifact,
            deployment("original", "onnxruntime", threads=1, instances=1, batch=1),
            {"x": np.ones((1, 8), np.float32)},
            repeats=1,
            terms=FirstCallTerms(trust=False, environment=capture_environment(), deadline_ns=0),
            clock=SystemClock(),
        )


def test_processes_are_started_until_the_deadline_but_no_more_than_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.api.test_profiling import SEEN

    clock = ManualClock()

    def run(*_: object, **__: object) -> object:
        clock.advance_ns(10)
        return SEEN

    monkeypatch.setattr(first_call, "run_child", run)
    artifact = artifact_of(examine(samples.write_dense_onnx(tmp_path / "dense.onnx", width=8), trust=False))

    def count(deadline_ns: int) -> int:
        terms = FirstCallTerms(trust=False, environment=reports.ENVIRONMENT, deadline_ns=clock.now_ns() + deadline_ns)
        one = deployment("original", "onnxruntime", threads=1, instances=1, batch=1)
        batch = {"x": np.ones((1, 8), np.float32)}
        return first_calls(artifact, one, batch, repeats=1, terms=terms, clock=clock)[0].processes

    assert [1, 1, 3, first_call.PROCESSES] == [count(deadline_ns) for deadline_ns in (0, 10, 21, 10_000)]
