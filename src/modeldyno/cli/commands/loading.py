"""`dyno load`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from modeldyno.cli.arguments import add_ask, add_slo, ask_of
from modeldyno.cli.repeating import add_repeats, repeats_of
from modeldyno.cli.scenarios import add_scenario, scenario_asked
from modeldyno.cli.sending import add_pid, add_sending, sending_of
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.cli.verdicts import code_of_measurement
from modeldyno.errors import ExitCode, ToolError, UsageError
from modeldyno.records.scenario import Scenario
from modeldyno.units import parse_duration_ns, parse_rate_per_s

if TYPE_CHECKING:
    from modeldyno.api.load.workloads import Shape

DESCRIPTION = """Offer a server an open-loop load: requests are planned beforehand and sent at their moment, whether
or not the server keeps up; response time counts from the planned moment. The measurement judges itself.
With --concurrency the loop is closed: so many users, each sending when it has its answer; a slow server is
then asked less, so that response times hide the queue that independent users would make."""
EXAMPLES = """  dyno load http://127.0.0.1:8000 --rate 500 --duration 20s --slo "p99<20ms, error_rate<0.1%"
  dyno load http://127.0.0.1:8000 --model digits --data digits.npz --arrivals constant --rate 1000
  dyno load http://127.0.0.1:8000 --arrivals ramp --from 10 --rate 500 --rows 1:0.9,32:0.1
  dyno load http://127.0.0.1:8000 --arrivals replay --trace yesterday.csv --speed 10
  dyno load http://127.0.0.1:8000 --concurrency 32
  dyno load http://127.0.0.1:8000 --data digits.npz --rate 500 --repeats 30%
  dyno load http://127.0.0.1:8000 --scenario server --rate 500 --target-latency 15ms --min-duration 10s"""
OPEN_ARRIVALS = ("poisson", "constant", "gamma", "ramp", "step", "spike", "replay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("url", metavar="URL", help="base URL of the server: http, https, grpc or grpcs; null: is none")
    parser.add_argument("--rate", type=typed(parse_rate_per_s), metavar="N", help="requests per second")
    parser.add_argument("--concurrency", type=int, metavar="N", help="users of a closed loop, instead of a rate")
    add_slo(parser)
    add_ask(parser)
    _add_arrivals(parser)
    add_repeats(parser.add_argument_group("repeats"), default="the same few requests in turn")
    add_scenario(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--duration",
        type=typed(parse_duration_ns),
        metavar="TIME",
        help="measured phase (10s; a replay: its trace; a scenario: its minimum)",
    )
    length.add_argument("--requests", type=int, metavar="N", help="planned requests, instead of a duration")
    add_sending(parser, warmup="1s", before="the measured phase")
    add_pid(parser)
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
        "--trace",
        metavar="FILE",
        help="replay: .csv or .parquet, columns timestamp (s), perhaps rows and question",
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


def _shape(arguments: argparse.Namespace, scenario: Scenario | None) -> "Shape":
    from modeldyno.api.load.workloads import Shape

    least_ns = None if scenario is None else scenario.min_duration_ns
    asked = {
        "arrivals": arguments.arrivals,
        "duration_ns": least_ns if arguments.duration is None else arguments.duration,
        "burstiness": arguments.burstiness,
        "from_per_s": arguments.from_rate,
        "steps": arguments.steps,
        "concurrency": arguments.concurrency,
        "speed": arguments.speed,
        "scale": arguments.scale,
        "repeats": repeats_of(arguments),
    }
    return Shape(
        requests=arguments.requests,
        **sending_of(arguments),
        **{name: value for name, value in asked.items() if value is not None},
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.loading import load
    from modeldyno.records.files import write_atomically
    from modeldyno.reports.junit import run_junit
    from modeldyno.reports.terminal.run import run_text

    _check(arguments)
    scenario = scenario_asked(arguments)
    record, directory = load(
        arguments.url,
        rate_per_s=arguments.rate,
        ask=ask_of(arguments),
        slo=arguments.slo,
        shape=_shape(arguments, scenario),
        trace=arguments.trace,
        scenario=scenario,
        out=arguments.out,
        server_pids=arguments.pid,
        metrics_url=arguments.metrics_url,
        estimate_split=arguments.split == "estimate",
        progress=terminal,
    )
    kept = f"\nrun     {directory}\nnext    dyno report {directory}\n"
    terminal.show(record, lambda one: run_text(one) + kept, as_json=arguments.json)
    if arguments.junit is not None:
        write_atomically(Path(arguments.junit), run_junit(record))
    if record.state == "interrupted":
        return ExitCode.INTERRUPTED
    if record.verdict is None:
        raise ToolError(f"{directory} has no verdict", why="the run ended before it was judged")
    return code_of_measurement(record.verdict, record.scenario)
