"""The sending processes, as their parent sees them."""

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, NamedTuple, Self

from modeldyno.errors import ToolError
from modeldyno.loadgen.messages import Assignment, Frames, FromWorker, Start, Stop, ToWorker, to_frame
from modeldyno.loadgen.tally_board import Tally, TallyBoard, new_board_descriptor

_READ_BYTES = 1 << 20
_END_WITHIN_S = 5.0


class Death(NamedTuple):
    """A sending process ended without handing over."""

    reason: str


class Crew:
    """Starts one process for each assignment, and ends them all when the context is left, however that happens.

    They get no Ctrl-C from the terminal (a process group of their own) and end when their pipe closes, so they
    outlive neither an interrupted parent nor a killed one.

    Args:
        assignments: one for each process.
        module: what they run, with `python -m`.
    """

    def __init__(self, assignments: Sequence[Assignment], module: str = "modeldyno.loadgen.worker") -> None:
        self._assignments = assignments
        self._module = module
        self._processes: list[subprocess.Popen[bytes]] = []
        self._errors: list[IO[bytes]] = []
        self._boards: list[TallyBoard] = []
        self._frames: list[Frames[FromWorker]] = [Frames(FromWorker) for _ in assignments]
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        try:
            for number, assignment in enumerate(self._assignments):
                self._hire(number)
                self.tell(number, assignment)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def size(self) -> int:
        """How many processes there are."""
        return len(self._assignments)

    def tell(self, number: int, message: ToWorker) -> None:
        """Send a message to one of them; one that is gone is noticed when its pipe is read."""
        stream = self._processes[number].stdin
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.write(to_frame(message))
                stream.flush()

    def start(self, start_ns: int) -> None:
        """Tell all the common start."""
        for number in range(len(self._processes)):
            self.tell(number, Start(start_ns))

    def stop(self) -> None:
        """Tell all to stop and hand over."""
        for number in range(len(self._processes)):
            self.tell(number, Stop())

    def tallies(self) -> list[Tally]:
        """What those that have begun count so far."""
        return [tally for board in self._boards if (tally := board.look()) is not None]

    def hear(self, timeout_s: float) -> list[tuple[int, FromWorker | Death]]:
        """What they say within `timeout_s`, each with its number; returns as soon as there is something."""
        heard: list[tuple[int, FromWorker | Death]] = []
        for key, _ in self._selector.select(max(0.0, timeout_s)):
            number = int(key.data)
            data = os.read(key.fd, _READ_BYTES)
            if data:
                heard.extend((number, message) for message in self._frames[number].feed(data))
            else:
                self._selector.unregister(key.fd)
                heard.append((number, Death(self._last_words(number))))
        return heard

    def _hire(self, number: int) -> None:
        # -P: a file numpy.py in the user's folder is not our business.
        board = new_board_descriptor()
        self._boards.append(TallyBoard(board))
        command = [sys.executable, "-P", "-m", self._module, str(board)]
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process; closed in _end
        self._errors.append(errors)
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, process_group=0, pass_fds=[board]
            )
        except OSError as problem:
            raise ToolError("cannot start a sending process", why=problem.strerror or str(problem)) from problem
        self._processes.append(process)
        if process.stdout is not None:
            self._selector.register(process.stdout, selectors.EVENT_READ, number)

    def _last_words(self, number: int) -> str:
        try:
            code = self._processes[number].wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            return "it closed its pipe and goes on running"
        if code < 0:
            return f"it was killed by signal {-code}"
        self._errors[number].seek(0)
        lines = self._errors[number].read().decode(errors="replace").strip().splitlines()
        return f"it ended with status {code}" + (f": {lines[-1]}" if lines else "")

    def _end(self) -> None:
        for process in self._processes:
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        for process in self._processes:
            if process.stdout is not None:
                process.stdout.close()
            try:
                process.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for errors in self._errors:
            errors.close()
        for board in self._boards:
            board.close()
        self._selector.close()
