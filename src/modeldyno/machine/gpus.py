"""The machine's NVIDIA GPUs, through NVML: the library of the driver, reached by the package nvidia-ml-py.

Source of units and meanings: NVIDIA, NVML API Reference Guide (docs.nvidia.com/deploy/nvml-api), "Device Queries".
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modeldyno.records.observation import Gpu, GpuReading

_UNTOLD = -1


class NvmlMeter:
    """Reads every GPU that the driver shows to this process; what a GPU does not tell is -1.

    Args:
        nvml: the module `pynvml`, initialised.
    """

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]

    def gpus(self, server_pids: Sequence[int]) -> tuple[Gpu, ...]:
        """What they are, and whether one of these processes is on them."""
        return tuple(self._describe(index, handle, server_pids) for index, handle in enumerate(self._handles))

    def read(self) -> list[GpuReading]:
        """How they are doing now; takes some tens of microseconds a GPU, now and then a millisecond."""
        return [self._read(index, handle) for index, handle in enumerate(self._handles)]

    def _read(self, index: int, handle: Any) -> GpuReading:
        nvml = self._nvml
        percent = self._asked(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        return GpuReading(
            gpu=index,
            utilisation=_UNTOLD if percent is None else percent / 100,
            memory_bytes=_told(self._asked(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used)),
            power_mw=_told(self._asked(lambda: nvml.nvmlDeviceGetPowerUsage(handle))),
            energy_mj=_told(self._asked(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle))),
        )

    def _describe(self, index: int, handle: Any, server_pids: Sequence[int]) -> Gpu:
        nvml = self._nvml
        name = nvml.nvmlDeviceGetName(handle)
        running = self._asked(lambda: [one.pid for one in nvml.nvmlDeviceGetComputeRunningProcesses(handle)])
        # In a container the driver may name the processes of the host, none of which is known here.
        is_known = bool(server_pids) and running is not None
        return Gpu(
            index=index,
            name=name.decode() if isinstance(name, bytes) else str(name),
            memory_bytes=self._asked(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total),
            has_server=any(pid in server_pids for pid in running or ()) if is_known else None,
        )

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """None where this GPU, its partition or the user's rights do not allow the question."""
        try:
            return ask()
        except self._nvml.NVMLError:
            return None


def _told(value: int | None) -> int:
    return _UNTOLD if value is None else value


@contextlib.contextmanager
def nvml_meter() -> Iterator[NvmlMeter | None]:
    """The meter, while the context is open; None without nvidia-ml-py, without a driver or without a GPU."""
    try:
        import pynvml
    except ImportError:
        yield None
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield _meter(pynvml)
    finally:
        pynvml.nvmlShutdown()


def _meter(nvml: Any) -> NvmlMeter | None:
    try:
        return NvmlMeter(nvml) if nvml.nvmlDeviceGetCount() else None
    except nvml.NVMLError:
        return None
