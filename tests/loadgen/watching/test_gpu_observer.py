from pathlib import Path

from modeldyno.loadgen.watching.gpu_observer import GpuObserver
from modeldyno.loadgen.watching.observation_file import read_gpus, write_gpus
from modeldyno.records.observation import GpuReading
from modeldyno.testing.clock import ManualClock


class TwoGpus:
    """A meter that takes 20 µs, whose second GPU is silent."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._energy_mj = 0

    def read(self) -> list[GpuReading]:
        self._clock.advance_ns(20_000)
        self._energy_mj += 500
        return [GpuReading(0, 0.25, 7, 90_000, self._energy_mj), GpuReading(1, -1, -1, -1, -1)]


def test_each_gpu_has_a_row_a_look_on_the_time_axis_of_the_requests(tmp_path: Path) -> None:
    clock = ManualClock(1_000)
    observer = GpuObserver(TwoGpus(clock), clock=clock)
    assert 0 == len(observer.observations(0))
    observer.sample()
    clock.advance_ns(200_000_000)
    observer.sample()
    rows = observer.observations(51_000)
    assert [-50_000, -50_000, 199_970_000, 199_970_000] == rows["moment_ns"].tolist()
    assert [0, 1, 0, 1] == rows["gpu"].tolist()
    assert [500, -1, 1_000, -1] == rows["energy_mj"].tolist()
    assert [0.25, -1.0] == rows["utilisation"][:2].tolist()
    assert {10_000} == set(rows["cost_ns"].tolist())
    write_gpus(tmp_path, rows)
    kept = read_gpus(tmp_path)
    assert kept is not None
    assert rows.tolist() == kept.tolist()


def test_a_machine_without_gpus_leaves_no_file(tmp_path: Path) -> None:
    clock = ManualClock()
    write_gpus(tmp_path, GpuObserver(TwoGpus(clock), clock=clock).observations(0))
    assert [] == list(tmp_path.iterdir())
    assert read_gpus(tmp_path) is None
