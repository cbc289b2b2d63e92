"""The command lines of the servers that are compared, each serving one model in an environment of its own.

All compute with the same file in ONNX Runtime, one thread a session; access logs are off. Ours is `dyno serve` of the
compiled wheel on a bundle: decoding, checks, queue, batching, metrics and accounting are what everybody gets.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from environments import peer_program
from nets import Net
from own_wheel import SOURCES, compiled_python
from request_forms import Form, nested_json, oip_binary, oip_json, raw

from modeldyno.deployment.bundle import write_bundle
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.bundle import Bundle, Samples
from modeldyno.records.deployment import Batching, Deployment
from modeldyno.records.files import digest_file

PEERS = Path(__file__).parent / "peers"


class Place(NamedTuple):
    """Where a server is to be."""

    port: int
    grpc_port: int
    spare_port: int
    """For metrics that a server has apart."""
    directory: Path
    """For its files."""


class Command(NamedTuple):
    """How a server is started."""

    words: list[str]
    environment: Mapping[str, str] = {}


class ModelServer(NamedTuple):
    """A server of the comparison."""

    name: str
    command: Callable[[Net, Place], Command]
    """Raises NotInstallableError."""
    form: Callable[[Net], Form]


def modeldyno(
    name: str = "modeldyno",
    *options: str,
    form: Callable[[Net], Form] = oip_binary,
    max_rows: int = 32,
    instances: int = 1,
    speaks_grpc: bool = False,
    is_compiled: bool = True,
) -> ModelServer:
    """`dyno serve` with these options, of the compiled wheel or of the sources."""
    batching = Batching(max_rows=max_rows)
    deployment = Deployment(artifact="original", runtime="onnxruntime", instances=instances, batching=batching)

    def command(net: Net, place: Place) -> Command:
        bundle = write_net_bundle(net, place.directory / "net.bundle", deployment)
        grpc = ["--grpc-port", str(place.grpc_port)] if speaks_grpc else []
        python = compiled_python() if is_compiled else sys.executable
        words = [python, "-m", "modeldyno", "serve", str(bundle), "--port", str(place.port), *grpc, *options, "-q"]
        # The compiled server is to find no modules but its own.
        return Command(words, {"PYTHONPATH": "" if is_compiled else str(SOURCES)})

    return ModelServer(name, command, form)


def write_net_bundle(net: Net, directory: Path, deployment: Deployment) -> Path:
    """The bundle that `dyno tune` would write of it, without a search."""
    digest, size = digest_file(net.path), net.path.stat().st_size
    model = Model(
        name=net.name, path=str(net.path), format="onnx", description="ONNX", task="regression", classes=(),
        signature=net.signature, precision="fp32", size_bytes=size, digest=digest, parameters=None,
        made_with="benchmarks/nets.py",
    )  # fmt: skip
    artifact = Artifact(
        name="original", path="model.onnx", format="onnx", precision="fp32", recipe="as it came", digest=digest,
        size_bytes=size, parent_digest=None, signature=net.signature,
    )  # fmt: skip
    bundle = Bundle(
        tool_version="0", created_at="2026-01-01T00:00:00+00:00", name=net.name, task="regression",
        signature=net.signature, deployment=deployment, artifact=artifact, origin=model, files={},
        build_cpu_flags=(),
    )  # fmt: skip
    samples = Samples(samples=(), relative_tolerance=1e-3, absolute_tolerance=1e-4)
    write_bundle(directory, bundle, artifact=net.path, samples=samples, datasheet=None)
    return directory


def fastapi(path: str, *, workers: int = 1, name: str = "FastAPI") -> ModelServer:
    """On uvicorn with uvloop and httptools; `path` is `/raw`, `/json` or `/json-async`."""

    def command(net: Net, place: Place) -> Command:
        words = [peer_program("fastapi", "uvicorn"), "fastapi_app:app", "--host", "127.0.0.1"]
        words += ["--port", str(place.port), "--workers", str(workers), "--log-level", "warning", "--no-access-log"]
        return Command(words, _model(net))

    return ModelServer(name, command, raw(path) if path == "/raw" else nested_json(path))


def bare() -> ModelServer:
    """No server: what uvloop, httptools and the model cost by themselves, see `peers/bare_app.py`."""

    def command(net: Net, place: Place) -> Command:
        words = [peer_program("fastapi", "python"), str(PEERS / "bare_app.py"), str(net.path), str(place.port)]
        return Command(words)

    return ModelServer("bare handler", command, raw("/"))


def kserve() -> ModelServer:
    """Its Python server, with binary tensors."""

    def command(net: Net, place: Place) -> Command:
        words = [peer_program("kserve", "python"), str(PEERS / "kserve_onnx.py"), net.name, str(place.port)]
        return Command(words, _model(net))

    return ModelServer("KServe", command, oip_binary)


def mlserver(*, workers: int = 0) -> ModelServer:
    """In JSON, as over HTTP it has no binary tensors; 0 workers compute where requests are read, at the least CPU."""

    def command(net: Net, place: Place) -> Command:
        settings = {
            "host": "127.0.0.1", "http_port": place.port, "grpc_port": place.grpc_port,
            "metrics_port": place.spare_port, "parallel_workers": workers, "debug": False,
        }  # fmt: skip
        tensors = {
            which: [{"name": spec.name, "datatype": spec.datatype, "shape": [-1, *spec.shape[1:]]} for spec in specs]
            for which, specs in (("inputs", net.signature.inputs), ("outputs", net.signature.outputs))
        }
        about = {"name": net.name, "implementation": "mlserver_onnx.OnnxModel"}
        model = {**about, "parameters": {"uri": str(net.path), "version": "1"}, **tensors}
        directory = place.directory / net.name
        directory.mkdir()
        (place.directory / "settings.json").write_text(json.dumps(settings))
        (directory / "model-settings.json").write_text(json.dumps(model))
        return Command([peer_program("mlserver", "mlserver"), "start", str(place.directory)])

    return ModelServer("MLServer", command, oip_json)


def litserve() -> ModelServer:
    """One worker, in JSON."""

    def command(net: Net, place: Place) -> Command:
        words = [peer_program("litserve", "python"), str(PEERS / "litserve_app.py"), str(place.port), "1"]
        return Command(words, _model(net))

    return ModelServer("LitServe", command, nested_json("/predict"))


def bentoml() -> ModelServer:
    """One worker, in JSON."""

    def command(net: Net, place: Place) -> Command:
        words = [peer_program("bentoml", "bentoml"), "serve", "bentoml_app:Service", "--working-dir", str(PEERS)]
        words += ["--host", "127.0.0.1", "--port", str(place.port), "--do-not-track", "-q"]
        home = {"BENTOML_HOME": str(place.directory), "BENTOML_DO_NOT_TRACK": "True"}
        return Command(words, {**_model(net), **home})

    return ModelServer("BentoML", command, nested_json("/predict"))


def mosec(*, workers: int = 1) -> ModelServer:
    """On raw bytes."""

    def command(net: Net, place: Place) -> Command:
        words = [peer_program("mosec", "python"), str(PEERS / "mosec_app.py"), "--address", "127.0.0.1"]
        words += ["--port", str(place.port), "--timeout", "60000", "--log-level", "error"]
        # It finds its own program on the path.
        path = f"{Path(words[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return Command(words, {**_model(net), "WORKERS": str(workers), "PATH": path})

    return ModelServer("mosec", command, raw("/inference"))


def _model(net: Net) -> dict[str, str]:
    return {"MODEL": str(net.path)}
