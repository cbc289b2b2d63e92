import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from modeldyno.api.served.server_process import ServerProcess
from modeldyno.api.served.sessions import check_samples
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, ToolError
from modeldyno.records.bundle import Sample, Samples
from modeldyno.records.search import Search
from modeldyno.testing.sessions import FunctionSession, sum_rows, sum_signature


@pytest.fixture(scope="module")
def url(tuned: tuple[Search, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    bundle = tuned[1] / "wine.bundle"
    log = tmp_path_factory.mktemp("serving") / "server.log"
    with ServerProcess(
        "modeldyno", ["serve", str(bundle), "--port", "0", "--json"], log=log, clock=SystemClock()
    ) as one:
        yield json.loads(one.first_line)["url"]


def test_an_ordinary_client_gets_the_answers_of_the_model(url: str, wine: Path) -> None:
    import skops.io
    import tritonclient.http as triton

    rows = np.load(wine / "wine.npz")["X"]
    model = skops.io.load(wine / "wine.skops", trusted=["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"])
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    tensor = triton.InferInput("input", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    answers = client.infer("wine", [tensor]).as_numpy("label")
    assert np.mean(model.predict(rows) == answers) > 0.8
    client.close()


def test_plain_json_works_as_from_curl(url: str, wine: Path) -> None:
    row = np.load(wine / "wine.npz")["X"][:1]
    body = {"inputs": [{"name": "input", "shape": [1, 13], "datatype": "FP32", "data": row.tolist()}]}
    request = urllib.request.Request(f"{url}/v2/models/wine/infer", json.dumps(body).encode(), method="POST")  # noqa: S310 - our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        outputs = json.load(answer)["outputs"]
    assert ["label", "probabilities"] == [output["name"] for output in outputs]


def test_grpc_gives_the_answers_of_http(url: str, tuned: tuple[Search, Path], wine: Path, tmp_path: Path) -> None:
    import tritonclient.grpc
    import tritonclient.http

    rows = np.load(wine / "wine.npz")["X"]
    command = ["serve", str(tuned[1] / "wine.bundle"), "--port", "0", "--grpc-port", "0", "--json"]
    answers = []
    with ServerProcess("modeldyno", command, log=tmp_path / "log", clock=SystemClock()) as one:
        grpc_url = json.loads(one.first_line)["grpc_url"]
        for triton, address in (
            (tritonclient.grpc, grpc_url.removeprefix("grpc://")),
            (tritonclient.http, url.removeprefix("http://")),
        ):
            tensor = triton.InferInput("input", list(rows.shape), "FP32")
            tensor.set_data_from_numpy(rows)
            with triton.InferenceServerClient(address) as client:
                answers.append(client.infer("wine", [tensor]).as_numpy("label"))

    np.testing.assert_array_equal(*answers)


def test_a_port_in_use_is_refused_and_named(url: str, tuned: tuple[Search, Path]) -> None:
    port = url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "modeldyno", "serve", str(tuned[1] / "wine.bundle"), "--port", port]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 2 == result.returncode
    assert port in result.stderr
    assert "--port" in result.stderr


def test_a_server_that_cannot_start_hands_on_its_own_words(tmp_path: Path) -> None:
    process = ServerProcess("modeldyno", ["serve", "absent.bundle"], log=tmp_path / "log", clock=SystemClock())
    with pytest.raises(ToolError) as caught, process:
        pass
    assert "absent.bundle" in caught.value.why


def test_a_server_does_not_outlive_a_killed_search(tuned: tuple[Search, Path], tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from modeldyno.api.served.server_process import ServerProcess\n"
        "from modeldyno.clock import SystemClock\n"
        f"arguments = ['serve', {str(tuned[1] / 'wine.bundle')!r}, '--port', '0', '--json']\n"
        f"log = Path({str(tmp_path / 'log')!r})\n"
        "with ServerProcess('modeldyno', arguments, log=log, clock=SystemClock()) as one:\n"
        "    print(one.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        server = psutil.Process(int(one.stdout.readline()))
        one.kill()
    server.wait(timeout=60)
    assert not server.is_running()


def test_a_load_from_the_command_line_is_kept_and_reported(url: str, wine: Path, tmp_path: Path) -> None:
    run = tmp_path / "one.run"
    command = [
        sys.executable, "-m", "modeldyno", "load", url, "--data", str(wine / "wine.npz"), "--rate", "100",
        "--duration", "3s", "--slo", "p50<1s", "--out", str(run), "--json",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 4), result.stderr
    record = json.loads(result.stdout)
    assert 300 == record["summary"]["requests"]
    assert {"value", "low", "high"} == set(record["summary"]["response_time"]["max_ns"])
    assert record["verdict"]["measurement"] in ("valid", "invalid")
    assert {one["verdict"] for one in record["verdict"]["objectives"]} <= {"pass", "cannot_tell"}
    page = subprocess.run([sys.executable, "-m", "modeldyno", "report", str(run)], capture_output=True, check=False)
    assert 0 == page.returncode
    assert (tmp_path / "one.html").stat().st_size > 10_000


def samples_with(value: float) -> Samples:
    one = Sample(inputs={"x": [[1.0, 2.0]]}, outputs={"sum": [value]})
    return Samples(samples=(one,), relative_tolerance=1e-3, absolute_tolerance=1e-4)


def test_a_bundle_whose_answers_differ_on_this_machine_is_not_served() -> None:
    session = FunctionSession(sum_signature(2), sum_rows)
    check_samples(session, samples_with(3.001), source="a.bundle")
    with pytest.raises(InputError, match="output 'sum' of sample 0 is not what it was") as caught:
        check_samples(session, samples_with(3.1), source="a.bundle")
    assert "tune again here" in caught.value.hint
