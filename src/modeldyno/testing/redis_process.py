"""A real Redis server in a process of its own, which a test may stop, slow down or lock."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from modeldyno.errors import ToolError
from modeldyno.wire.resp import Reply, ReplyReader, encode_command

PROGRAM = shutil.which("redis-server")
"""Where the program is; None where there is none."""
_PATIENCE_S = 30.0


class RedisProcess:
    """Redis on a port of its own, in memory only."""

    def __init__(self, port: int, options: Sequence[str] = ()) -> None:
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = tempfile.TemporaryDirectory()

    def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            ToolError: it ended.
        """
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        process = subprocess.Popen(
            [PROGRAM or "redis-server", *words, *self._options],
            cwd=self._directory.name,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self._process = process
        if process.stdout is None:
            raise AssertionError("stdout was asked for")
        said = b""
        for line in process.stdout:
            said += line
            if b"Ready to accept connections" in line:
                return
        raise ToolError("redis-server did not start", why=said.decode(errors="replace")[-400:])

    def kill(self) -> None:
        """End it at once, as a machine that goes away does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def close(self) -> None:
        """End it, and remove its directory."""
        self.kill()
        self._directory.cleanup()

    def ask(self, *words: str | bytes, password: str = "") -> Reply:
        """Send one command on a connection of its own."""
        commands = [[word.encode() if isinstance(word, str) else word for word in words]]
        if password:
            commands.insert(0, [b"AUTH", password.encode()])
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_S) as connection:
            connection.sendall(b"".join(encode_command(*command) for command in commands))
            reader, replies = ReplyReader(64 * 10**6), list[Reply]()
            while len(replies) < len(commands):
                replies += reader.feed(connection.recv(65_536))
        return replies[-1]


@contextlib.contextmanager
def running_redis(*options: str) -> Iterator[RedisProcess]:
    """Redis on a free port, with these options of its command line."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    redis = RedisProcess(port, options)
    try:
        redis.start()
        yield redis
    finally:
        redis.close()
