"""A real engine: `transformers serve` with a tiny model of random weights, in an environment of its own."""

import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from modeldyno.data.words import WORDS

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent.parent / ".venvs" / "engine"
REQUIREMENTS = HERE / "requirements.txt"
READY_WITHIN_S = 120


class Engine(NamedTuple):
    url: str
    model: str
    """Its directory, which is its name on the server."""


@pytest.fixture(scope="session")
def engine_bin() -> Path:
    """The programs of the environment, which is made when it is missing or of other requirements."""
    stamp = ENVIRONMENT / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        install = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)]
        for command in ([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"the engine cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
        stamp.write_text(wanted)
    return ENVIRONMENT / "bin"


@pytest.fixture(scope="session")
def engine(engine_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    model = tmp_path_factory.mktemp("engine") / "tiny"
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [str(engine_bin / "python"), str(HERE / "make_tiny_model.py"), str(model)],
        input=" ".join(WORDS),
        text=True,
        check=True,
        env=offline,
        capture_output=True,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = model.parent / "serve.log"
    command = [str(engine_bin / "transformers"), "serve", str(model), "--port", str(port), "--device", "cpu"]
    with log.open("wb") as written:
        process = subprocess.Popen([*command, "--host", "127.0.0.1"], stdout=written, stderr=written, env=offline)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_ready(url, process, log)
        yield Engine(url, str(model))
    finally:
        process.terminate()
        process.wait(30)


def _wait_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310 - our own http:// address
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"the engine did not start:\n{log.read_text()[-2000:]}")
