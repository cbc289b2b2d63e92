"""A server of ours in a process of its own, from its start to its end."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from modeldyno.clock import Clock
from modeldyno.errors import ToolError

START_LIMIT_NS = 60_000_000_000
STOP_LIMIT_S = 35.0


def dying_with_us(signal_name: str = "TERM") -> list[str]:
    """The words before a command that have the kernel send it a signal when this process is killed outright.

    `setpriv` (util-linux, on every Debian and Ubuntu) sets PR_SET_PDEATHSIG between fork and exec, where Python code
    must not run in a process with threads. Without it, a killed search leaves its server behind.
    """
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", signal_name, "--"]


class ServerProcess:
    """Starts `python -m MODULE ARGUMENTS`, waits for its first line, and always ends it.

    Args:
        module: what to run; its first line on stdout says that it is ready.
        arguments: its command line.
        log: where its stderr goes, to be read when it fails.
        clock: for the start limit.
    """

    def __init__(self, module: str, arguments: Sequence[str], *, log: Path, clock: Clock) -> None:
        self._command = [*dying_with_us(), sys.executable, "-m", module, *arguments]
        self._log = log
        self._clock = clock
        self.first_line = ""

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            # A session of its own, so that Ctrl-C reaches us and not the server: we end it when its load has ended.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        try:
            self.first_line = self._wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def _wait_ready(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - Popen was given PIPE
        limit_ns = self._clock.now_ns() + START_LIMIT_NS
        line = b""
        while not line.endswith(b"\n"):
            left_s = (limit_ns - self._clock.now_ns()) / 1e9
            if left_s <= 0:
                raise ToolError(f"the server was not ready within {START_LIMIT_NS // 10**9} s", why=self._last_words())
            if not select.select([stdout], [], [], left_s)[0]:
                continue
            chunk = os.read(stdout.fileno(), 4096)
            if not chunk:
                raise ToolError("the server ended before it was ready", why=self._last_words())
            line += chunk
        return line.splitlines()[0].decode()

    def _last_words(self) -> str:
        text = self._log.read_text(errors="replace").strip()
        return text.splitlines()[0].removeprefix("dyno: ") if text else "it said nothing"

    def stop(self) -> None:
        """SIGTERM, wait for the drain, and SIGKILL if it does not end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
