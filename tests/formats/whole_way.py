"""From a model file to a served bundle, and one question to the server."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import modeldyno
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.clock import SystemClock
from modeldyno.records.search import Search
from modeldyno.records.signature import DATATYPES

BUDGET_NS = 12_000_000_000
"""Too short for most candidates on a slow machine; what is asserted does not depend on who wins."""
SLO = "p50<5s, flip_rate<=20%"


def tune(model: Path | str, data: Path, out: Path, **options: Any) -> tuple[Search, Path]:
    """Search, prove and bundle; the record and the bundle."""
    search = modeldyno.tune(model, data=data, slo=SLO, rate_per_s=20, budget_ns=BUDGET_NS, out=out, **options)
    (bundle,) = out.glob("*.bundle")
    return search, bundle


def ask(bundle: Path, inputs: Mapping[str, NDArray[Any]], *, arguments: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Serve a bundle in a process of its own and ask it over HTTP, in JSON.

    The answers' datatypes are those that the server states.
    """
    command = ["serve", str(bundle), "--port", "0", "--json", *arguments]
    with ServerProcess("modeldyno", command, log=bundle.parent / "server.log", clock=SystemClock()) as server:
        told = json.loads(server.first_line)
        url, name = told["url"], told["model"]
        metadata = _get(url, f"/v2/models/{name}")
        datatypes = {spec["name"]: spec["datatype"] for spec in metadata["inputs"]}
        asked = [
            {"name": key, "datatype": datatypes[key], "shape": list(array.shape), "data": _listed(array)}
            for key, array in inputs.items()
        ]
        answered = _get(url, f"/v2/models/{name}/infer", {"inputs": asked})
    return {
        one["name"]: np.array(
            one["data"], object if one["datatype"] == "BYTES" else DATATYPES[one["datatype"]]
        ).reshape(one["shape"])
        for one in answered["outputs"]
    }


def _listed(array: NDArray[Any]) -> list[Any]:
    return [item.decode() if isinstance(item, bytes) else item for item in array.ravel().tolist()]


def _get(url: str, path: str, body: object | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, content), timeout=60) as reply:  # noqa: S310 - loopback
        return json.loads(reply.read())
