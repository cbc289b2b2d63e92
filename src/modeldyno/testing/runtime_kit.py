"""What every `modeldyno.protocols.Runtime` has to do; for the runtimes that ship and for those that users write."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.clock import Clock
from modeldyno.errors import DynoError, InputError
from modeldyno.protocols import Runtime, Session, Tensors
from modeldyno.quality.closeness import are_close
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import DATATYPES, Signature

_SETTINGS = SessionSettings(threads=1)


def check_runtime(runtime: Runtime, path: Path, signature: Signature, rows: Tensors, tolerance: float = 1e-4) -> None:
    """Check everything here but the interpreter lock, which `check_lock_released` looks at.

    Args:
        runtime: what is tested.
        path: an artifact it can open.
        signature: of the artifact; its batch dimension varies.
        rows: input name to array, at least 4 rows.
        tolerance: largest difference of float outputs between a batch and its rows one by one.

    Raises:
        AssertionError: says what is wrong.
    """
    session = runtime.open(path, signature, _SETTINGS)
    check_outputs(session, rows)
    check_batches(session, rows, tolerance)
    check_lent_rows(session, rows)
    check_widths(session, rows)
    check_two_sessions(runtime, path, signature, rows)
    check_errors(runtime, path, signature)
    check_close(session, rows)


def check_outputs(session: Session, rows: Tensors) -> None:
    """Names in order, dtypes and shapes are those of the signature."""
    outputs, count = session.run(rows), _count(rows)
    names = [spec.name for spec in session.signature.outputs]
    _require(list(outputs) == names, f"outputs are {list(outputs)}, the signature says {names}")
    for spec in session.signature.outputs:
        found = outputs[spec.name]
        _require(found.dtype == DATATYPES[spec.datatype], f"{spec.name} is {found.dtype}, not {spec.datatype}")
        sizes = [count, *spec.shape[1:]]
        fits = len(sizes) == found.ndim and all(
            isinstance(size, str) or size == length for size, length in zip(sizes, found.shape, strict=True)
        )
        _require(fits, f"{spec.name} has the shape {found.shape}, the signature says {spec.shape}")
        if spec.datatype == "BYTES":
            _require(all(isinstance(item, bytes) for item in found.ravel()), f"{spec.name} holds other than bytes")


def check_batches(session: Session, rows: Tensors, tolerance: float) -> None:
    """A batch gives the same answers as its rows one by one, and in threes."""
    whole, count = session.run(rows), _count(rows)
    for size in (1, 3):
        parts = [session.run(_cut(rows, start, start + size)) for start in range(0, count - count % size, size)]
        for name, expected in whole.items():
            found = np.concatenate([part[name] for part in parts])
            same = _is_same(expected[: len(found)], found, tolerance)
            _require(same, f"{name} differs between one batch of {count} and batches of {size}")


def check_lent_rows(session: Session, rows: Tensors) -> None:
    """Rows that cannot be written, as they come out of a request, and rows that are not in order in memory."""
    whole = session.run(rows)
    read_only = {name: array.copy() for name, array in rows.items()}
    for array in read_only.values():
        array.flags.writeable = False
    backwards = {name: array[::-1].copy()[::-1] for name, array in rows.items()}
    for what, lent in (("read-only rows", read_only), ("rows that are backwards in memory", backwards)):
        found = session.run(lent)
        for name, expected in whole.items():
            _require(_is_same(expected, found[name], 1e-6), f"{name} is another for {what}")


def check_widths(session: Session, rows: Tensors) -> None:
    """Rows of another width than the signature fixes are an error with words, and not an answer."""
    for spec in session.signature.inputs:
        fixed = [axis for axis, size in enumerate(spec.shape) if axis > 0 and isinstance(size, int)]
        for axis, change in ((axis, change) for axis in fixed for change in (_widened, _narrowed)):
            other = {**rows, spec.name: change(rows[spec.name], axis)}
            try:
                session.run(other)
            except DynoError:
                continue
            raise AssertionError(
                f"{spec.name} was computed with the shape {other[spec.name].shape}, which {spec.shape} forbids"
            )


def _widened(array: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.ascontiguousarray(np.concatenate([array, array.take([0], axis)], axis))


def _narrowed(array: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.ascontiguousarray(array.take(range(array.shape[axis] - 1), axis))


def check_two_sessions(runtime: Runtime, path: Path, signature: Signature, rows: Tensors, rounds: int = 20) -> None:
    """Two sessions of one artifact, each in a thread of its own, do not disturb one another."""
    sessions = [runtime.open(path, signature, _SETTINGS) for _ in range(2)]
    halves = [rows, _cut(rows, 1, _count(rows))]
    expected = [session.run(half) for session, half in zip(sessions, halves, strict=True)]
    faults: list[str] = []

    def work(number: int) -> None:
        for _ in range(rounds):
            found = sessions[number].run(halves[number])
            faults.extend(name for name in found if not _is_same(expected[number][name], found[name], 1e-6))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session in sessions:
        session.close()
    _require(not faults, f"two sessions at once gave other answers than one: {sorted(set(faults))}")


def check_errors(runtime: Runtime, path: Path, signature: Signature) -> None:
    """A file that is missing or belongs to another model is an InputError, at opening."""
    other = Signature(
        inputs=tuple(
            type(spec)(name=f"not_{spec.name}", datatype=spec.datatype, shape=(*spec.shape, 7))
            for spec in signature.inputs
        ),
        outputs=signature.outputs,
    )
    for what, place, asked in (
        ("a missing file", path.with_name(f"missing-{path.name}"), signature),
        ("another model's signature", path, other),
    ):
        try:
            runtime.open(place, asked, _SETTINGS)
        except InputError:
            continue
        raise AssertionError(f"opening {what} raised no InputError")


def check_close(session: Session, rows: Tensors) -> None:
    """Closing twice is as good as once; afterwards a run is an error with words."""
    session.close()
    session.close()
    try:
        session.run(rows)
    except DynoError:
        return
    raise AssertionError("a closed session still answers, or fails with an error that is not ours")


def check_lock_released(session: Session, row: Tensors, clock: Clock, attempts: int = 5) -> None:
    """Another thread makes progress in the middle of a long call.

    The batch is doubled until a call takes 50 ms; then a second thread notes moments while the call goes on. A call
    that holds the interpreter lock leaves none in the middle half of its time, however fast or busy the machine is.
    A session whose long call is made of many short ones in Python passes too: they let others in between.

    Args:
        session: what is tested.
        row: input name to array of one row, repeated as needed.
        clock: the machine's.
        attempts: calls without progress that are put down to a busy machine before the session is blamed.
    """
    rows = row
    while _time_ns(session, rows, clock) < 50_000_000 and _count(rows) < 2**20:
        rows = {name: np.concatenate([array, array]) for name, array in rows.items()}
    _require(
        any(_progresses(session, rows, clock) for _ in range(attempts)),
        "no other thread ran while the session computed: it holds the interpreter lock",
    )


def _time_ns(session: Session, rows: Tensors, clock: Clock) -> int:
    started_ns = clock.now_ns()
    session.run(rows)
    return clock.now_ns() - started_ns


def _progresses(session: Session, rows: Tensors, clock: Clock) -> bool:
    span: list[int] = []

    def work() -> None:
        started_ns = clock.now_ns()
        session.run(rows)
        span.extend((started_ns, clock.now_ns()))

    moments: list[int] = []
    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        moments.append(clock.now_ns())
        worker.join(0.001)
    quarter = (span[1] - span[0]) // 4
    return any(span[0] + quarter < moment < span[1] - quarter for moment in moments)


def _count(rows: Tensors) -> int:
    return len(next(iter(rows.values())))


def _cut(rows: Tensors, start: int, stop: int) -> Mapping[str, NDArray[np.generic]]:
    return {name: array[start:stop] for name, array in rows.items()}


def _is_same(expected: NDArray[Any], found: NDArray[Any], tolerance: float) -> bool:
    return are_close(expected, found, relative=tolerance, absolute=tolerance)


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise AssertionError(otherwise)
