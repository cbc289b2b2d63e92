"""Server CPU per request on a digits-sized model, side by side with the peers, binary and JSON.

    python benchmarks/serve_digits.py [--rounds 5] [--seconds 1]

The same model file, one worker process and one thread each, all of them up for the whole time on one core, loaded in
turns by `dyno load` from the other. What is compared is requests per second of server CPU (user and system time of all
its processes), so that a busy client or neighbour costs nobody anything. Ours and the peers get environments of their
own; beside ours, which is the compiled wheel, stands the same interpreted.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from conditions import against_bars, heading, keep, two_cores
from environments import peer_versions
from in_process import NAME as ALONE
from in_process import computed
from model_servers import ModelServer, bare, bentoml, fastapi, kserve, litserve, mlserver, modeldyno
from nets import Net, digits_net
from request_forms import oip_json
from server_tables import INTERPRETED, OURS, asked, figure, load_table, server_conditions, times
from standing_servers import StandingServers, loaded
from turns import Turn, missing_lines, stolen_lines, take_turns

USERS = (8, 32)
BINARY = (
    modeldyno(),
    modeldyno(INTERPRETED, is_compiled=False),
    modeldyno("modeldyno, no batching", max_rows=1),
    bare(),
    fastapi("/raw"),
    kserve(),
)
JSON = (
    modeldyno(form=oip_json),
    modeldyno(INTERPRETED, form=oip_json, is_compiled=False),
    fastapi("/json"),
    fastapi("/json-async", name="FastAPI, async"),
    mlserver(),
    litserve(),
    bentoml(),
)
MOST_CPU_US = {"binary": 40.0, "JSON": 60.0}
LEAST_TIMES = {
    "binary": {"FastAPI": 5.0, "KServe": 15.0},
    "JSON": {"FastAPI": 7.0, "MLServer": 7.0, "LitServe": 20.0, "BentoML": 20.0},
}


def task_of(form: str, users: int) -> str:
    """What a load is called."""
    return f"{form}, {users} users"


TASKS = [task_of(form, users) for form in ("binary", "JSON") for users in USERS]


def measure(servers: StandingServers, server: ModelServer, net: Net, users: int, seconds: float) -> dict[str, float]:
    """One load on one server."""
    return loaded(servers.stand(server, net), users=users, seconds=seconds, core=two_cores()[1])


def run_rounds(rounds: int, seconds: float, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every server in turns."""
    net = digits_net(directory)
    core = two_cores()[0]
    with StandingServers(directory, core=core) as servers:
        turns = [
            Turn(server.name, task_of(form, users), partial(measure, servers, server, net, users, seconds))
            for form, compared in (("binary", BINARY), ("JSON", JSON))
            for users in USERS
            for server in compared
        ]
        turns += [
            Turn(ALONE, "no server", partial(computed, net, seconds=0.5, cores=[core])),
            Turn(f"{ALONE}, 8 rows at once", "no server", partial(computed, net, seconds=0.5, cores=[core], rows=8)),
        ]
        return take_turns(rounds, turns)


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bars."""
    lines = heading(
        "Serving a digits model: server CPU per request",
        where,
        "A 64-128-10 perceptron, one row a request, one worker process and one thread each on one core; `dyno load` "
        "with so many users in a closed loop on the other.",
        "Binary is the Open Inference Protocol's binary tensors, for FastAPI the bytes alone; MLServer, LitServe and "
        "BentoML take no binary tensors over HTTP.",
        f"{INTERPRETED}, is the same sources as an editable installation has them, not compiled.",
        "The bare handler is a protocol class on uvloop and httptools around the model, which checks, batches, counts "
        "and limits nothing: what a request costs before there is a server.",
    )
    lines += load_table(found, [*TASKS, "no server"])
    bars: list[tuple[str, float | None, float, str]] = []
    for form, most_us in MOST_CPU_US.items():
        for users in USERS:
            task = task_of(form, users)
            bars.append((f"server CPU a request, µs ({task})", figure(found, OURS, task, "cpu_us"), most_us, "at most"))
            bars += [
                (f"times {name}'s requests per CPU second ({task})", times(found, name, task), least, "at least")
                for name, least in LEAST_TIMES[form].items()
            ]
    return [*lines, *against_bars(bars), *stolen_lines(found), *missing_lines(missing)]


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=5, seconds=1.0)
    before = server_conditions(options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found, missing = run_rounds(options.rounds, options.seconds, Path(scratch))
    peers = ("fastapi", "uvicorn", "kserve", "mlserver", "litserve", "bentoml", "onnxruntime")
    where = {**before, "peers": peer_versions(*peers)}
    keep("serve_digits", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
