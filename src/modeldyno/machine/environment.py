"""The machine and the libraries, captured beside every number."""

import os
import platform
from importlib.machinery import ExtensionFileLoader
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import psutil

from modeldyno.machine.cores import cores_affinity, cores_quota, memory_limit_bytes, usable_cores
from modeldyno.records.environment import Environment

_FLAGS_THAT_DECIDE = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "bf16", "i8mm", "sve",
)  # fmt: skip
_LIBRARIES = (
    "modeldyno", "numpy", "scipy", "scikit-learn", "onnx", "onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino",
    "openvino", "nncf", "torch", "skl2onnx", "skops", "uvloop", "httptools", "msgspec",
)  # fmt: skip


def capture_environment() -> Environment:
    """The environment as it is now."""
    cpu = _cpu_information()
    affinity, quota = cores_affinity(), cores_quota()
    total, limit = psutil.virtual_memory().total, memory_limit_bytes()
    return Environment(
        cpu_model=cpu.get("model name") or platform.processor() or platform.machine(),
        cpu_flags=tuple(
            flag for flag in _FLAGS_THAT_DECIDE if flag in cpu.get("flags", cpu.get("Features", "")).split()
        ),
        cores_host=os.cpu_count() or 1,
        cores_affinity=affinity,
        cores_quota=quota,
        cores=usable_cores(affinity, quota),
        governor=_governor(),
        memory_bytes=total,
        memory_limit_bytes=limit if limit is not None and limit < total else None,
        operating_system=_operating_system(),
        kernel=platform.release(),
        python=platform.python_version(),
        libraries={name: found for name in _LIBRARIES if (found := installed_version(name)) is not None},
        load_average_1min=round(os.getloadavg()[0], 2),
        is_compiled=is_compiled(),
    )


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, read from its metadata without importing it."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def is_compiled() -> bool:
    """Whether this package came as a wheel whose serving path is machine code; see `hatch_build.py`."""
    found = find_spec("modeldyno.server.routes")
    return found is not None and isinstance(found.loader, ExtensionFileLoader)


def _cpu_information() -> dict[str, str]:
    """The first processor's block of /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.split("\n\n", 1)[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _governor() -> str | None:
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None  # virtual machines hide it


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
