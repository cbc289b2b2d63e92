"""`dyno load`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from modeldyno.cli.arguments import add_ask, add_slo, ask_of, typed
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.verdicts import code_of_measurement
from modeldyno.errors import ExitCode, ToolError, UsageError
from modeldyno.records.workload import parse_row_mix
from modeldyno.units import parse_duration_ns, parse_rate_per_s

if TYPE_CHECKING:
    from modeldyno.api.workloads import Shape

DESCRIPTION = """Offer a server an open-loop load: requests are planned beforehand and sent at their moment, whether
or not the server keeps up; response time counts from the planned moment. The measurement judges itself.
With --concurrency the loop is closed: so many users, each sending when it has its answer; a slow server is
then asked less, so that response times hide the queue that independent users would make."""
EXAMPLES = """  dyno load http://127.0.0.1:8000 --rate 500 --duration 20s --slo "p99<20ms, error_rate<0.1%"
  dyno load http://127.0.0.1:8000 --model digits --data digits.npz --arrivals constant --rate 1000
  dyno load http://127.0.0.1:8000 --arrivals ramp --from 10 --rate 500 --rows 1:0.9,32:0.1
  dyno load http://127.0.0.1:8000 --arrivals replay --trace yesterday.csv --speed 10
  dyno load http://127.0.0.1:8000 --concurrency 32"""
OPEN_ARRIVALS = ("poisson", "constant", "gamma", "ramp", "step", "spike", "replay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("url", metavar="URL", help="base URL of the server: http, https, grpc or grpcs; null: is none")
    parser.add_argument("--rate", type=typed(parse_rate_per_s), metavar="N", help="requests per second")
    parser.add_argument("--concurrency", type=int, metavar="N", help="users of a closed loop, instead of a rate")
    add_slo(parser)
    add_ask(parser)
    _add_arrivals(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--duration", type=typed(parse_duration_ns), metavar="TIME", help="measured phase (10s; a replay: its trace)"
    )
    length.add_argument("--requests", type=int, metavar="N", help="planned requests, instead of a duration")
    parser.add_argument(
        "--warmup",
        type=typed(parse_duration_ns),
        default="1s",
        metavar="TIME",
        help="load before the measured phase (1s)",
    )
    parser.add_argument(
        "--timeout", type=typed(parse_duration_ns), default="5s", metavar="TIME", help="a longer request fails (5s)"
    )
    parser.add_argument(
        "--rows",
        type=typed(parse_row_mix),
        default="1",
        metavar="MIX",
        help="rows in each request: 8, or a mix: 1,1,8 or 1:0.9,32:0.1 (1)",
    )
    parser.add_argument("--connections", type=int, default=8, metavar="N", help="connections opened before the run (8)")
    parser.add_argument(
        "--max-connections", type=int, default=256, metavar="N", help="open no more when all are busy (256)"
    )
    parser.add_argument(
        "--workers", type=int, default=0, metavar="N", help="sending processes (as many as the rate needs)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the arrivals; the same seed, the same moments")
    parser.add_argument(
        "--pid", type=int, action="append", default=[], help="server process here (default: who listens on the port)"
    )
    parser.add_argument(
        "--metrics-url", metavar="URL", help="metrics of the server, Prometheus text (default: URL/metrics, if any)"
    )
    parser.add_argument("--out", metavar="DIR", help="directory of the run (default: out/MODEL-TIME.run)")
    parser.add_argument(
        "--split",
        choices=("server", "estimate"),
        default="server",
        help="parts of the response time: as the server reports them, or also estimated from a low load (server)",
    )
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit file with one test case an objective")


def _add_arrivals(verb: argparse.ArgumentParser) -> None:
    parser = verb.add_argument_group("arrivals")
    parser.add_argument("--arrivals", choices=OPEN_ARRIVALS, help="arrival process (poisson)")
    parser.add_argument(
        "--burstiness", type=float, metavar="X", help="gamma: 1 is Poisson, less is burstier, more is evener (1)"
    )
    parser.add_argument(
        "--from",
        type=typed(parse_rate_per_s),
        metavar="N",
        dest="from_rate",
        help="ramp, step, spike: rate to begin with; --rate is the one to reach (a tenth of it)",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="step: levels of equal length (2)")
    parser.add_argument(
        "--trace", metavar="FILE", help="replay: .csv or .parquet with a column timestamp (s), perhaps one rows"
    )
    parser.add_argument("--speed", type=float, metavar="X", help="replay: 2 takes half the time (1)")
    parser.add_argument("--scale", type=float, metavar="X", help="replay: 2 sends twice the requests (1)")


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that the chosen load would not look at."""
    kind = "closed" if arguments.concurrency is not None else arguments.arrivals or "poisson"
    varying = ("ramp", "step", "spike")
    belongs: dict[str, tuple[object, tuple[str, ...]]] = {
        "--burstiness": (arguments.burstiness, ("gamma",)),
        "--from": (arguments.from_rate, varying),
        "--steps": (arguments.steps, ("step",)),
        "--trace": (arguments.trace, ("replay",)),
        "--speed": (arguments.speed, ("replay",)),
        "--scale": (arguments.scale, ("replay",)),
        "--arrivals": (arguments.arrivals, OPEN_ARRIVALS),
    }
    for option, (value, kinds) in belongs.items():
        if value is not None and kind not in kinds:
            chosen = "--concurrency" if kind == "closed" else f"--arrivals {kind}"
            names = "no --concurrency" if option == "--arrivals" else f"--arrivals {' or '.join(kinds)}"
            raise UsageError(f"{option} means nothing to {chosen}", hint=f"it goes with {names}")
    if kind == "replay" and arguments.duration is not None:
        raise UsageError("a replay lasts as long as its trace", hint="cut it with --requests")
    if arguments.concurrency is not None and arguments.concurrency < 1:
        raise UsageError(f"a closed loop needs at least 1 user, not {arguments.concurrency}")


def _shape(arguments: argparse.Namespace) -> "Shape":
    from modeldyno.api.workloads import Shape

    asked = {
        "arrivals": arguments.arrivals,
        "duration_ns": arguments.duration,
        "seed": arguments.seed,
        "burstiness": arguments.burstiness,
        "from_per_s": arguments.from_rate,
        "steps": arguments.steps,
        "concurrency": arguments.concurrency,
        "speed": arguments.speed,
        "scale": arguments.scale,
    }
    return Shape(
        requests=arguments.requests,
        warmup_ns=arguments.warmup,
        row_mix=arguments.rows,
        timeout_ns=arguments.timeout,
        connections=arguments.connections,
        max_connections=arguments.max_connections,
        workers=arguments.workers,
        **{name: value for name, value in asked.items() if value is not None},
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.loading import load
    from modeldyno.records.files import to_json, write_atomically
    from modeldyno.reports.junit import run_junit
    from modeldyno.reports.terminal.run import run_text

    _check(arguments)
    record, directory = load(
        arguments.url,
        rate_per_s=arguments.rate,
        ask=ask_of(arguments),
        slo=arguments.slo,
        shape=_shape(arguments),
        trace=arguments.trace,
        out=arguments.out,
        server_pids=arguments.pid,
        metrics_url=arguments.metrics_url,
        estimate_split=arguments.split == "estimate",
        progress=terminal,
    )
    if arguments.junit is not None:
        write_atomically(Path(arguments.junit), run_junit(record))
    if arguments.json:
        terminal.record(to_json(record))
    else:
        terminal.result(run_text(record) + f"\nrun     {directory}\nnext    dyno report {directory}\n")
    if record.state == "interrupted":
        return ExitCode.INTERRUPTED
    if record.verdict is None:
        raise ToolError(f"{directory} has no verdict", why="the run ended before it was judged")
    return code_of_measurement(record.verdict)
