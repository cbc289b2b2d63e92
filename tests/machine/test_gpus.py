import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from modeldyno.machine.gpus import NvmlMeter, nvml_meter
from modeldyno.records.observation import Gpu, GpuReading


class NVMLError(Exception):
    """What pynvml raises."""


class FakeNvml(ModuleType):
    """`pynvml` on a machine with two GPUs, the second of which tells next to nothing."""

    NVMLError = NVMLError

    def __init__(self, *, driver: bool = True, count: int = 2) -> None:
        super().__init__("pynvml")
        self.driver = driver
        self.count = count
        self.is_open = False

    def nvmlInit(self) -> None:  # noqa: N802 - as pynvml names it
        if not self.driver:
            raise NVMLError("Driver Not Loaded")
        self.is_open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:  # noqa: N802
        return "NVIDIA H200" if handle == 0 else b"GRID K1"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=self._told(handle, 37), memory=5)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=2_000_000_000, total=150_000_000_000, free=self._told(handle, 0))

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return self._told(handle, 301_500)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        return self._told(handle, 987_654_321)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return [SimpleNamespace(pid=self._told(handle, 4711))]

    def _told(self, handle: int, value: int) -> int:
        if handle:
            raise NVMLError("Not Supported")
        return value


def test_a_gpu_is_read_in_the_units_of_the_record_and_what_it_does_not_tell_is_marked() -> None:
    first, second = NvmlMeter(FakeNvml()).read()
    assert GpuReading(0, 0.37, 2_000_000_000, 301_500, 987_654_321) == first
    assert GpuReading(1, -1, -1, -1, -1) == second


def test_a_gpu_is_described_and_whether_the_server_is_on_it() -> None:
    meter = NvmlMeter(FakeNvml())
    assert (
        Gpu(index=0, name="NVIDIA H200", memory_bytes=150_000_000_000, has_server=True),
        Gpu(index=1, name="GRID K1", memory_bytes=None, has_server=None),
    ) == meter.gpus([1, 4711])
    assert [False, None] == [one.has_server for one in meter.gpus([1])]
    assert [None, None] == [one.has_server for one in meter.gpus([])]


def test_the_meter_is_there_while_the_context_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    with nvml_meter() as meter:
        assert nvml.is_open
        assert meter is not None
        assert 2 == len(meter.read())
    assert not nvml.is_open


@pytest.mark.parametrize("nvml", (None, FakeNvml(driver=False), FakeNvml(count=0)))
def test_without_the_package_a_driver_or_a_gpu_there_is_no_meter(
    monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml | None
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    with nvml_meter() as meter:
        assert meter is None
    assert nvml is None or not nvml.is_open
