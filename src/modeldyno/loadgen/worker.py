"""A sending process: `python -m modeldyno.loadgen.worker`, told what to do through stdin, answering through stdout.

It ends when its share is done, when told to stop, or when the pipe to its parent closes, and hands over what it has
in every case: to the parent, and to its part file.
"""

import asyncio
import gc
import os
import resource
import signal
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import uvloop

from modeldyno.clock import Clock, SystemClock
from modeldyno.errors import DynoError
from modeldyno.loadgen.ledger import Ledger
from modeldyno.loadgen.messages import (
    AnswerTally,
    Assignment,
    Finished,
    Frames,
    FromWorker,
    Ready,
    Start,
    Stop,
    ToWorker,
    Unreachable,
    to_frame,
)
from modeldyno.loadgen.part_file import PartFile, Remainder
from modeldyno.loadgen.readers.table import Readers
from modeldyno.loadgen.sender import Sender
from modeldyno.loadgen.tally_board import TallyBoard
from modeldyno.loadgen.transports.connection import Dialer
from modeldyno.loadgen.transports.http1 import Http1Dialer
from modeldyno.loadgen.transports.null import NullDialer

_STDIN = 0
_STDOUT = 1
_TALLY_INTERVAL_S = 0.25
_READ_BYTES = 1 << 20

OpenDialer = Callable[[Assignment, Clock, Readers], Dialer]
"""Chooses what opens the connections."""


class Worker:
    """What a sending process does besides sending: listens to its parent, reports, keeps rows safe."""

    def __init__(
        self,
        assignment: Assignment,
        orders: "Orders",
        dialer: Dialer,
        readers: Readers,
        board: TallyBoard,
        clock: Clock,
    ) -> None:
        self._board = board
        self._orders = orders
        self._readers = readers
        self._clock = clock
        self._ledger = Ledger(assignment)
        self._sender = Sender(assignment, self._ledger, dialer, clock)
        self._part = PartFile(Path(assignment.part_path))
        self._token_part = PartFile(Path(assignment.tokens_path))
        self._first_measured_ns = self._measured_offset_ns(assignment)
        self._measured_from_ns = 0
        self._cpu_before_s = 0.0
        self._waited_before_ns = 0
        self._opened_before = 0

    async def work(self) -> None:
        """Connect, wait for the start, send, hand over."""
        try:
            await self._sender.pool.fill()
        except OSError as problem:
            self._sender.close()
            self._close_parts()
            _write(Unreachable(problem.strerror or str(problem) or "no connection in time"))
            return
        _write(Ready())
        order = await self._orders.wait_next()
        if isinstance(order, Start):
            await self._send_all(order.start_ns)
        else:
            self._sender.stop()
        self._hand_over()

    async def _send_all(self, start_ns: int) -> None:
        loop = asyncio.get_running_loop()
        # Nothing in the sender makes reference cycles but opening connections, so the collector has no work
        # while it runs; `_report` lets it look when connections were opened.
        gc.collect()
        gc.freeze()
        gc.disable()
        self._measured_from_ns = start_ns + self._first_measured_ns
        loop.call_later(max(0.0, (self._measured_from_ns - self._clock.now_ns()) / 1e9), self._begin_measured)
        loop.call_later(_TALLY_INTERVAL_S, self._report)
        self._sender.start(start_ns)
        stop = loop.create_task(self._orders.wait_next())
        await asyncio.wait((self._sender.ended, stop), return_when=asyncio.FIRST_COMPLETED)
        if stop.done():
            self._sender.stop()
        stop.cancel()

    def _measured_offset_ns(self, assignment: Assignment) -> int:
        if assignment.concurrency:
            return assignment.warmup_ns
        measured = memoryview(assignment.planned).cast("q")[assignment.first_measured :]
        return measured[0] if len(measured) else assignment.plan_end_ns

    def _begin_measured(self) -> None:
        self._cpu_before_s = _cpu_s()
        self._waited_before_ns = self._sender.waited_ns

    def _report(self) -> None:
        self._put_away()
        self._post_tally()
        if self._sender.pool.opened != self._opened_before:
            self._opened_before = self._sender.pool.opened
            gc.collect()
        if not self._sender.ended.done():
            asyncio.get_running_loop().call_later(_TALLY_INTERVAL_S, self._report)

    def _put_away(self) -> None:
        rows, tokens = self._ledger.take_ended()
        self._part.append(rows)
        self._token_part.append(tokens)

    def _post_tally(self) -> None:
        sender = self._sender
        tally = self._ledger.tally(self._clock.now_ns(), waiting=sender.waiting(), in_flight=sender.in_flight)
        self._board.post(tally)

    def _hand_over(self) -> None:
        wall_ns = self._clock.now_ns() - self._measured_from_ns
        was_measuring = self._cpu_before_s > 0 and wall_ns > 0
        waited_s = (self._sender.waited_ns - self._waited_before_ns) / 1e9
        worked_s = max(0.0, _cpu_s() - self._cpu_before_s - waited_s)
        cpu_fraction = worked_s / (wall_ns / 1e9) if was_measuring else 0.0
        awake_fraction = self._sender.awake_fraction
        self._put_away()
        self._post_tally()
        connections = self._sender.close()
        rows, tokens = self._close_parts()
        _write(
            Finished(
                rows_bytes=rows.written_bytes,
                rows=rows.kept,
                tokens_bytes=tokens.written_bytes,
                tokens=tokens.kept,
                cpu_fraction=cpu_fraction,
                connections=connections,
                reconnects=self._sender.pool.reconnects,
                notes=(*self._sender.pool.notes, *(part.problem for part in (rows, tokens) if part.problem)),
                awake_fraction=awake_fraction,
                answers=self._answers(),
                failures_said=self._ledger.said,
            )
        )

    def _answers(self) -> AnswerTally | None:
        check = self._readers.check
        return None if check is None else AnswerTally(check.checked, check.wrong, check.example)

    def _close_parts(self) -> tuple[Remainder, Remainder]:
        return self._part.close(), self._token_part.close()


class Orders:
    """Messages from the parent; a closed pipe is a `Stop`."""

    def __init__(self) -> None:
        self._frames: Frames[ToWorker] = Frames(ToWorker)
        self._pending: deque[ToWorker] = deque()
        self._arrived = asyncio.Event()

    async def wait_next(self) -> ToWorker:
        """The next message."""
        while not self._pending:
            self._arrived.clear()
            await self._arrived.wait()
        return self._pending.popleft()

    def listen(self) -> None:
        """Read whatever comes, from now on."""
        os.set_blocking(_STDIN, False)
        asyncio.get_running_loop().add_reader(_STDIN, self._read)

    def _read(self) -> None:
        try:
            data = os.read(_STDIN, _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._pending.extend(self._frames.feed(data))
        else:
            asyncio.get_running_loop().remove_reader(_STDIN)
            self._pending.append(Stop())
        self._arrived.set()


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _write(message: FromWorker) -> None:
    content = memoryview(to_frame(message))
    try:
        while content:
            content = content[os.write(_STDOUT, content) :]
    except BrokenPipeError:
        return  # the parent is gone; the part file has the rows


def open_dialer(assignment: Assignment, clock: Clock, readers: Readers) -> Dialer:
    """What opens the connections of an assignment over a network, or to nowhere."""
    if assignment.transport == "null":
        return NullDialer(clock.now_ns)
    address = (assignment.host, assignment.port)
    if assignment.transport == "grpc":
        from modeldyno.loadgen.transports.grpc import GrpcDialer  # hpack and protobuf take 45 ms

        return GrpcDialer(address, assignment.encryption, readers.open, clock.now_ns)
    return Http1Dialer(address, assignment.encryption, readers.open, clock.now_ns)


async def _run(choose: OpenDialer, board: int) -> None:
    orders = Orders()
    orders.listen()
    assignment = await orders.wait_next()
    if not isinstance(assignment, Assignment):
        return
    clock, readers = SystemClock(), Readers(assignment)
    try:
        dialer = choose(assignment, clock, readers)
    except DynoError as problem:
        _write(Unreachable(str(problem)))
        return
    await Worker(assignment, orders, dialer, readers, TallyBoard(board), clock).work()


def main(choose: OpenDialer = open_dialer) -> None:
    """Entry point of the process; its argument is the descriptor of its tally board."""
    # The parent decides what Ctrl-C means; it reaches every process of a terminal's group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_run(choose, int(sys.argv[1])))


if __name__ == "__main__":
    main()
