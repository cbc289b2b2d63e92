"""The command lines of the clients that send one row of 64 numbers as a binary Open Inference Protocol request.

Each is asked for the same: a closed loop of so many users, or a constant rate. What each cannot do is stated here.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from environments import NotInstallableError, need_library, peer_program, system_program
from wrk_load import write_script

from modeldyno.testing.null_server import SIGNATURE
from modeldyno.wire.v2_client import encode_infer_request

_PEERS = Path(__file__).parent / "peers"
_PATH = "/v2/models/null/infer"
OURS = "modeldyno"
OURS_AWAKE = "modeldyno --awake"


class Command(NamedTuple):
    """How a client is started."""

    words: list[str]
    environment: Mapping[str, str] = {}
    is_pinned: bool = True
    """False for one that spins on all cores and locks itself out on a single one."""


class Asked(NamedTuple):
    """What every client is asked for."""

    port: str
    directory: Path
    """For its files; `body` and `length` are there, see `write_request`."""
    seconds: float
    users: int = 32
    rate_per_s: int = 0
    """0 for a closed loop."""

    @property
    def url(self) -> str:
        """Where the one request goes."""
        return f"http://127.0.0.1:{self.port}{_PATH}"

    @property
    def body_path(self) -> str:
        """The file with the body."""
        return str(self.directory / "body")

    @property
    def header_length(self) -> str:
        """Bytes of JSON in front of the tensor."""
        return (self.directory / "length").read_text()


def write_request(directory: Path) -> None:
    """The one request of every client but perf_analyzer, which makes its own of the same shape."""
    encoded = encode_infer_request({"input": np.zeros((1, 64), np.float32)}, SIGNATURE)
    (directory / "body").write_bytes(encoded.body)
    (directory / "length").write_text(str(encoded.header_length))


def modeldyno(asked: Asked) -> Command:
    """Every stamp recorded, the server's processes watched, the run kept in `directory/run`."""
    load = (
        ["--arrivals", "constant", "--rate", str(asked.rate_per_s)]
        if asked.rate_per_s
        else ["--concurrency", str(asked.users)]
    )
    common = [
        "--model",
        "null",
        "--warmup",
        "1s",
        "--duration",
        f"{asked.seconds}s",
        "--out",
        str(asked.directory / "run"),
    ]
    return Command(
        [sys.executable, "-m", "modeldyno", "load", f"http://127.0.0.1:{asked.port}", *load, *common, "--json"]
    )


def modeldyno_awake(asked: Asked) -> Command:
    """As `modeldyno`, by a sending process that does not sleep."""
    command = modeldyno(asked)
    return command._replace(words=[*command.words, "--awake"])


def perf_analyzer(asked: Asked) -> Command:
    """One measurement window as long as asked, in its faster mode (synchronous).

    Raises:
        NotInstallableError: see `environments`.
    """
    program = peer_program("triton", "perf_analyzer")
    need_library("b64", "libb64-0d")
    load = (
        ["--request-rate-range", str(asked.rate_per_s), "--request-distribution", "constant"]
        if asked.rate_per_s
        else ["--concurrency-range", str(asked.users)]
    )
    window = ["-p", f"{asked.seconds * 1000:.0f}", "--max-trials", "2", "--stability-percentage", "999"]
    cuda = next(Path(program).parent.parent.glob("lib/python3*/site-packages/nvidia/cuda_runtime/lib"), None)
    if cuda is None:
        raise NotInstallableError("CUDA's runtime library is not where its package used to put it")
    return Command(
        [program, "-m", "null", "-u", f"127.0.0.1:{asked.port}", "-i", "http", *load, *window],
        {"LD_LIBRARY_PATH": str(cuda)},
        is_pinned=False,
    )


def k6(asked: Asked) -> Command:
    """Answers discarded unread; `constant-arrival-rate` with room for four times `users`.

    Raises:
        NotInstallableError: see `environments`.
    """
    program = peer_program("k6", "k6")
    environment = {
        "URL": asked.url,
        "BODY_FILE": asked.body_path,
        "HEADER_LENGTH": asked.header_length,
        "SECONDS": f"{asked.seconds:.0f}",
        "RATE": str(asked.rate_per_s),
        "USERS": str(asked.users if not asked.rate_per_s else max(100, asked.rate_per_s // 50)),
        "K6_NO_USAGE_REPORT": "true",
    }
    return Command([program, "run", "--quiet", "--no-summary", str(_PEERS / "k6_digits.js")], environment)


def locust(asked: Asked) -> Command:
    """FastHttpUser; as it has no constant rate, users of ten a second each, out of step.

    Raises:
        NotInstallableError: see `environments`.
    """
    users = asked.rate_per_s // 10 or asked.users
    environment = {
        "BODY_FILE": asked.body_path,
        "HEADER_LENGTH": asked.header_length,
        "PER_USER_S": "10" if asked.rate_per_s else "0",
    }
    words = ["--headless", "-u", str(users), "-r", str(users), "-t", f"{asked.seconds:.0f}s", "--only-summary"]
    host = ["--host", f"http://127.0.0.1:{asked.port}", "-L", "ERROR"]
    return Command(
        [peer_program("locust", "locust"), "-f", str(_PEERS / "locust_digits.py"), *words, *host], environment
    )


def aiohttp(asked: Asked) -> Command:
    """Tasks on one `ClientSession`, on uvloop; closed loop only.

    Raises:
        NotInstallableError: see `environments`.
    """
    python = peer_program("aiohttp", "python")
    return Command(
        [
            python,
            str(_PEERS / "aiohttp_client.py"),
            asked.url,
            asked.body_path,
            str(asked.users),
            str(asked.seconds),
        ]
    )


def wrk(asked: Asked) -> Command:
    """One thread; closed loop only.

    Raises:
        NotInstallableError: see `environments`.
    """
    script = asked.directory / "post.lua"
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": asked.header_length}
    write_script(script, headers, Path(asked.body_path))
    length = f"-d{asked.seconds:.0f}s"
    return Command([system_program("wrk"), "-t1", f"-c{asked.users}", length, "-s", str(script), asked.url])


CLOSED_LOOP: dict[str, Callable[[Asked], Command]] = {
    OURS: modeldyno,
    "perf_analyzer": perf_analyzer,
    "Locust FastHttpUser": locust,
    "k6": k6,
    "aiohttp": aiohttp,
    "wrk": wrk,
}
OPEN_LOOP: dict[str, Callable[[Asked], Command]] = {
    OURS: modeldyno,
    OURS_AWAKE: modeldyno_awake,
    "perf_analyzer": perf_analyzer,
    "k6": k6,
    "Locust FastHttpUser": locust,
}
