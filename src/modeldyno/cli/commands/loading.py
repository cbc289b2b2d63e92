"""`dyno load`."""

import argparse

from modeldyno.cli.arguments import add_data, add_slo, typed
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.verdicts import code_of_measurement
from modeldyno.errors import ExitCode, ToolError
from modeldyno.units import parse_duration_ns, parse_rate_per_s

DESCRIPTION = """Offer a server an open-loop load: requests are planned beforehand and sent at their moment, whether
or not the server keeps up; response time counts from the planned moment. The measurement judges itself."""
EXAMPLES = """  dyno load http://127.0.0.1:8000 --rate 500 --duration 20s --slo "p99<20ms, error_rate<0.1%"
  dyno load http://127.0.0.1:8000 --model digits --data digits.npz --arrivals constant --rate 1000"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("url", metavar="URL", help="base URL of a server that speaks the Open Inference Protocol")
    parser.add_argument("--rate", type=typed(parse_rate_per_s), required=True, metavar="N", help="requests per second")
    parser.add_argument("--model", metavar="NAME", help="model on the server (default: its only one)")
    add_data(parser)
    add_slo(parser)
    parser.add_argument(
        "--arrivals", choices=("poisson", "constant"), default="poisson", help="arrival process (poisson)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--duration", type=typed(parse_duration_ns), default="10s", metavar="TIME", help="measured phase (10s)"
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
    parser.add_argument("--rows", type=int, default=1, metavar="N", help="rows in each request (1)")
    parser.add_argument("--connections", type=int, default=8, metavar="N", help="connections opened before the run (8)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="sending processes (1)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the arrivals; the same seed, the same moments")
    parser.add_argument(
        "--pid", type=int, action="append", default=[], help="server process here: measure its cost too"
    )
    parser.add_argument("--out", metavar="DIR", help="directory of the run (default: out/MODEL-TIME.run)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.loading import Shape, load
    from modeldyno.records.files import to_json
    from modeldyno.reports.terminal.run import run_text
    from modeldyno.seeds import DEFAULT_SEED

    shape = Shape(
        arrivals=arguments.arrivals,
        duration_ns=arguments.duration,
        requests=arguments.requests,
        warmup_ns=arguments.warmup,
        rows_per_request=arguments.rows,
        timeout_ns=arguments.timeout,
        connections=arguments.connections,
        workers=arguments.workers,
        seed=DEFAULT_SEED if arguments.seed is None else arguments.seed,
    )
    record, directory = load(
        arguments.url,
        rate_per_s=arguments.rate,
        model=arguments.model,
        data=arguments.data,
        label=arguments.label,
        slo=arguments.slo,
        shape=shape,
        out=arguments.out,
        server_pids=arguments.pid,
        progress=terminal,
    )
    if arguments.json:
        terminal.record(to_json(record))
    else:
        terminal.result(run_text(record) + f"\nrun     {directory}\nnext    dyno report {directory}\n")
    if record.state == "interrupted":
        return ExitCode.INTERRUPTED
    if record.verdict is None:
        raise ToolError(f"{directory} has no verdict", why="the run ended before it was judged")
    return code_of_measurement(record.verdict)
