"""Copying and adding arrays as STREAM does (McCalpin, "Memory Bandwidth and Machine Balance", 1995), with NumPy."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
import psutil

from modeldyno.records.peaks import MemoryLevel

_Move = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
_LARGEST_SHARE = 0.2
"""Of the memory that is free, for all arrays together."""
_WITHOUT_CACHES_BYTES = 256 * 2**20
_PASSES_BYTES = 50_000_000
"""What one call moves at least, so that handing it to threads costs nothing beside it."""


Kernel = Literal["copy", "triad"]


class Stream(NamedTuple):
    """One kernel over arrays of one size, in some threads at once."""

    level: MemoryLevel
    kernel: Kernel
    threads: int
    working_set_bytes: int
    bytes_a_call: int
    call: Callable[[], object]
    close: Callable[[], None]


def working_sets(caches: Mapping[str, int], threads: int) -> dict[MemoryLevel, int]:
    """How large all arrays are together, by the level they are meant for.

    Half of the L2s; an eighth of the L3 but well above the L2s, for it is shared; and twice the L3, or what a
    fifth of the free memory allows.
    """
    l2, l3 = caches.get("L2", 0) * threads, caches.get("L3", 0)
    free = int(psutil.virtual_memory().available * _LARGEST_SHARE)
    sizes: dict[MemoryLevel, int] = {}
    if l2:
        sizes["L2"] = l2 // 2
    if l3 > 8 * l2:
        sizes["L3"] = max(4 * l2, l3 // 8)
    sizes["memory"] = min(free, max(_WITHOUT_CACHES_BYTES, 2 * l3))
    return sizes


def streams(level: MemoryLevel, working_set_bytes: int, threads: int) -> list[Stream]:
    """A copy and a triad on three arrays a thread; close each when it has been measured."""
    count = max(1, working_set_bytes // (threads * 3 * 8))
    arrays = [tuple(np.ones(count) for _ in range(3)) for _ in range(threads)]
    # NumPy makes two passes of a triad: it reads c and writes a, then reads a and b and writes a.
    kernels: dict[Kernel, tuple[_Move, int]] = {"copy": (_copy, 2), "triad": (_triad, 5)}
    return [_stream(level, name, kernel, arrays, moved_an_item=8 * moves) for name, (kernel, moves) in kernels.items()]


def _stream(
    level: MemoryLevel,
    name: Kernel,
    kernel: _Move,
    arrays: list[tuple[np.ndarray, ...]],
    *,
    moved_an_item: int,
) -> Stream:
    count, threads = len(arrays[0][0]), len(arrays)
    passes = max(1, _PASSES_BYTES // (count * moved_an_item * threads))

    def run(own: tuple[np.ndarray, ...]) -> None:
        for _ in range(passes):
            kernel(own[0], own[1], own[2])

    crew = ThreadPoolExecutor(threads, "stream") if threads > 1 else None

    def call() -> None:
        if crew is None:
            run(arrays[0])
        else:
            list(crew.map(run, arrays))

    return Stream(
        level=level,
        kernel=name,
        threads=threads,
        working_set_bytes=count * 3 * 8 * threads,
        bytes_a_call=count * moved_an_item * threads * passes,
        call=call,
        close=crew.shutdown if crew is not None else _nothing,
    )


def _copy(a: np.ndarray, b: np.ndarray, _c: np.ndarray) -> None:
    np.copyto(a, b)


def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    np.multiply(c, 3.0, out=a)
    np.add(a, b, out=a)


def _nothing() -> None:
    """One thread is the caller's: there is no crew to send home."""
