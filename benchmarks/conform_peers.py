"""What Modeldyno's server, MLServer and KServe's Python server keep of the Open Inference Protocol, rule by rule.

    python benchmarks/conform_peers.py [--only NAME]

Each serves the same two models, functions of NumPy arrays written once (`peers/conform_functions.py`), with the codecs
and defaults of its own, in an environment of its own under `.venvs/`; one server runs at a time. A model trusts its
inputs, as most do: what a server does not check, it passes on. The results are written to `results/`.
"""

import argparse
import json
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from conditions import RESULTS, cpu_model
from environments import NotInstallableError, peer_program, peer_versions
from running import HERE, Client, running_client

from modeldyno import conform
from modeldyno.records.conformance import RESULTS as ORDER
from modeldyno.records.conformance import Conformance, RuleOutcome, count_results

sys.path.insert(0, str(HERE / "peers"))
from conform_functions import MODELS  # type: ignore[import-not-found]

PEERS = HERE / "peers"
READY_WITHIN_S = 90.0


class Ports(NamedTuple):
    """Of one server, free a moment ago."""

    http: int
    grpc: int
    metrics: int


class System(NamedTuple):
    """A server of the comparison."""

    name: str
    command: Callable[[Ports, Path], list[str]]
    is_peer: bool = True


def modeldyno_command(ports: Ports, _: Path) -> list[str]:
    """Modeldyno's server."""
    return [sys.executable, str(PEERS / "modeldyno_functions.py"), str(ports.http), str(ports.grpc)]


def mlserver_command(ports: Ports, directory: Path) -> list[str]:
    """MLServer without worker processes: with them 1.7.1 does not start on uvloop 0.22 (SeldonIO/MLServer#2286)."""
    settings = {
        "host": "127.0.0.1", "http_port": ports.http, "grpc_port": ports.grpc, "metrics_port": ports.metrics,
        "parallel_workers": 0, "debug": False,
    }  # fmt: skip
    (directory / "settings.json").write_text(json.dumps(settings))
    for name, described in MODELS.items():
        (directory / name).mkdir()
        model = {
            "name": name,
            "implementation": "mlserver_model.FunctionModel",
            "parameters": {"version": "1"},
            **{which: [_tensor(*one) for one in described[which]] for which in ("inputs", "outputs")},
        }
        (directory / name / "model-settings.json").write_text(json.dumps(model))
    return [peer_program("mlserver", "mlserver"), "start", str(directory)]


def _tensor(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def kserve_command(ports: Ports, _: Path) -> list[str]:
    """KServe's Python server with one worker."""
    return [peer_program("kserve", "python"), str(PEERS / "kserve_app.py"), str(ports.http), str(ports.grpc)]


SYSTEMS = (
    System("modeldyno", modeldyno_command, is_peer=False),
    System("mlserver", mlserver_command),
    System("kserve", kserve_command),
)


def free_ports() -> Ports:
    """Three ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in Ports._fields]
    ports = Ports(*(one.getsockname()[1] for one in sockets))
    for one in sockets:
        one.close()
    return ports


def wait_ready(url: str, client: Client) -> None:
    """Wait until the server says that it is ready."""
    give_up = time.monotonic() + READY_WITHIN_S
    while True:
        client.check_running()
        try:
            with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=2):  # noqa: S310 - of this machine
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


@contextmanager
def running(system: System) -> Iterator[Ports]:
    """The server, ready."""
    ports = free_ports()
    with tempfile.TemporaryDirectory() as directory:
        command = system.command(ports, Path(directory))
        environment = {"PYTHONPATH": str(PEERS)}
        with running_client(system.name, command, core=None, environment=environment) as client:
            wait_ready(f"http://127.0.0.1:{ports.http}", client)
            yield ports


def check(system: System) -> Conformance:
    """Hold one server against all rules."""
    with running(system) as ports:
        return conform(f"http://127.0.0.1:{ports.http}", grpc_url=f"grpc://127.0.0.1:{ports.grpc}")


def worst(outcomes: Sequence[RuleOutcome], rule: str) -> RuleOutcome:
    """Of one rule over all models: a failure before all, and a pass before what is not offered."""
    return min((one for one in outcomes if one.rule == rule), key=lambda one: ORDER.index(one.result))


def markdown(found: dict[str, Conformance], versions: dict[str, str]) -> str:
    """The comparison: a table of all rules, then the evidence of what each server breaks."""
    named = ", ".join(f"{name} {versions[name]}" for name in found)
    lines = [
        "# What servers keep of the Open Inference Protocol",
        "",
        f"{next(iter(found.values())).checked_at}, {cpu_model()}; {named}.",
        "Written by `python benchmarks/conform_peers.py`; in words: [conformance_defects.md](conformance_defects.md).",
        "The same two models on each, functions that trust their inputs; of both models the worse result counts.",
        "",
        *summary(found),
        "",
        "## Every rule",
        "",
        f"| rule | severity | {' | '.join(found)} |",
        f"|---|---|{'---|' * len(found)}",
    ]
    for one in dict.fromkeys((one.rule, one.severity) for one in next(iter(found.values())).outcomes):
        results = (worst(record.outcomes, one[0]).result.replace("_", " ") for record in found.values())
        shown = (f"**{result}**" if result == "fail" else result for result in results)
        lines.append(f"| `{one[0]}` | {one[1]} | {' | '.join(shown)} |")
    for name, record in found.items():
        lines += ["", f"## What {name} breaks", "", *evidence(record)]
    return "\n".join(lines) + "\n"


def summary(found: dict[str, Conformance]) -> list[str]:
    """Rules kept of those that could be judged, by severity."""
    lines = ["| server | required | recommended | extension |", "|---|---|---|---|"]
    for name, record in found.items():
        cells = []
        for severity in ("required", "recommended", "extension"):
            rules = {one.rule for one in record.outcomes if one.severity == severity}
            counts = count_results(worst(record.outcomes, rule) for rule in rules)
            cells.append(f"{counts['pass']} of {counts['pass'] + counts['fail']} kept")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def evidence(record: Conformance) -> list[str]:
    """Every rule that is broken, with what was expected and found."""
    failed = dict.fromkeys(one.rule for one in record.outcomes if one.result == "fail")
    lines = []
    for rule in failed:
        one = worst(record.outcomes, rule)
        where = f"{one.severity}, {one.model}" if one.model else one.severity
        lines += [
            f"- `{rule}` ({where}): expected {cell(one.expected)}; found {cell(one.reason)}",
            f"  - asked `{cell(one.request, 140)}`",
            f"  - got `{cell(one.got, 140)}`",
        ]
    return lines or ["Nothing."]


def cell(text: str, longest: int = 200) -> str:
    """Text that breaks neither a table nor a code span."""
    plain = text.replace("`", "'").replace("|", "\\|")
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def main() -> None:
    """Check all, or one, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[system.name for system in SYSTEMS], help="this one, and print instead")
    options = parser.parse_args()
    found, versions = {}, {}
    for system in SYSTEMS:
        if options.only not in (None, system.name):
            continue
        try:
            found[system.name] = check(system)
        except NotInstallableError as problem:
            print(f"{system.name}: cannot be installed: {problem}", flush=True)
            continue
        pinned = peer_versions(system.name) if system.is_peer else {}
        versions[system.name] = pinned.get(system.name, found[system.name].tool_version)
        print(f"{system.name}: {count_results(found[system.name].outcomes)}", flush=True)
    text = markdown(found, versions)
    if options.only is not None:
        print(text)
        return
    (RESULTS / "conformance.md").write_text(text)


if __name__ == "__main__":
    main()
