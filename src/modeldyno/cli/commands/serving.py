"""`dyno serve`."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modeldyno.cli.batching import add_batching, changes_of
from modeldyno.cli.caching import add_caching, redis_of
from modeldyno.cli.protection import (
    add_protection,
    admin_host_of,
    bundle_key_of,
    protection_of,
    tls_of,
    warn_of_open_doors,
)
from modeldyno.cli.terminal import Terminal
from modeldyno.cli.typed import typed
from modeldyno.errors import ExitCode, UsageError
from modeldyno.units import parse_duration_ns, parse_size_bytes

if TYPE_CHECKING:
    from modeldyno.records.server import ServedBundle
    from modeldyno.server.network.doors import DoorName, Urls

_SILENCE_NS = 30 * 10**9
_OPEN: tuple["DoorName", ...] = ("main", "grpc")
_APART: tuple[tuple[str, tuple["DoorName", ...]], ...] = (("admin", ("admin", "admin-grpc")), ("metrics", ("metrics",)))

DESCRIPTION = """Serve bundles over the Open Inference Protocol (HTTP/1.1 with JSON and binary tensors; gRPC) until
SIGTERM or Ctrl-C; then it answers what it has accepted, and ends."""
EXAMPLES = """  dyno serve out/digits.bundle
  dyno serve out/digits.bundle --host 0.0.0.0 --port 9000 --grpc-port 9001 --server-timing
  dyno serve out/digits.bundle out/wine.bundle --admin-port 8002
  dyno serve --repository models --versions latest:2 --admin-port 8002
  dyno serve out/digits.bundle --workers 4
  dyno serve out/digits.bundle --cache 64MB --cache-ttl 10m --cache-redis redis://cache.internal
  dyno serve out/digits.bundle --keys keys.db --audit audit.jsonl --tls-cert server.pem --tls-key server.key"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", nargs="*", help="directory written by dyno tune or dyno combine; or several"
    )
    _add_repository(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 for any free one (8000)")
    parser.add_argument(
        "--grpc-port", type=int, default=None, metavar="PORT", help="port for gRPC, such as 8001; 0 for any (no gRPC)"
    )
    parser.add_argument(
        "--metrics-port",
        type=int,
        default=None,
        metavar="PORT",
        help="port for /metrics, such as 9090 (that of --port)",
    )
    parser.add_argument(
        "--server-timing", action="store_true", help="add a Server-Timing header with the parts of each answer's time"
    )
    parser.add_argument(
        "--max-body", type=typed(parse_size_bytes), default="64MB", metavar="SIZE", help="largest request body (64MB)"
    )
    parser.add_argument(
        "--drain", type=typed(parse_duration_ns), default="30s", metavar="TIME", help="longest drain at the end (30s)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes that answer, each with its share of the cores; one more accepts for them (1)",
    )
    parser.add_argument(
        "--worker-silence",
        type=typed(parse_duration_ns),
        metavar="TIME",
        help="a worker that hangs for so long is replaced (30s)",
    )
    add_batching(parser)
    add_caching(parser)
    add_protection(parser)


def _add_repository(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("several models and versions", "loaded and unloaded at the admin port")
    group.add_argument(
        "--repository", metavar="DIR", help="serve the bundles in DIR/NAME/VERSION/ under these names and versions"
    )
    group.add_argument(
        "--versions",
        metavar="WHICH",
        help="of the repository's models: latest:N, all, or some by number such as 1,3 (latest:1)",
    )
    group.add_argument(
        "--skip-broken", action="store_true", help="start without the models that cannot be opened (they end it)"
    )
    group.add_argument(
        "--load-timeout",
        type=typed(parse_duration_ns),
        default="5m",
        metavar="TIME",
        help="for a model that is loaded while the server runs (5m)",
    )


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what the server would not look at, and what no request could live with."""
    if arguments.versions is not None and arguments.repository is None:
        raise UsageError("--versions means nothing without a repository", hint="--repository DIR")
    if arguments.worker_silence is not None and arguments.workers == 1:
        raise UsageError("--worker-silence means nothing to a single process", hint="it goes with --workers 2, or more")
    if arguments.max_body < 1:
        raise UsageError("a server that takes no body answers no inference", hint="for example --max-body 64MB")
    if arguments.load_timeout < 1:
        raise UsageError("no model can be loaded in no time", hint="for example --load-timeout 5m")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.serving import serve
    from modeldyno.records.files import to_json
    from modeldyno.records.server import ServerSettings

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    _check(arguments)

    def announce(urls: "Urls", served: "Sequence[ServedBundle]") -> None:
        try:
            if arguments.json:
                terminal.record(_as_json(urls, served))
            else:
                terminal.result(_as_text(urls, served))
            sys.stdout.flush()
        except BrokenPipeError:  # who reads it went away; clients are somebody else
            terminal.say(f"nobody reads where the server is: {urls['main']}")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    settings = ServerSettings(
        host=arguments.host,
        port=arguments.port,
        grpc_port=arguments.grpc_port,
        metrics_port=arguments.metrics_port,
        server_timing=arguments.server_timing,
        max_body_bytes=arguments.max_body,
        drain_timeout_ns=arguments.drain,
        tls=tls_of(arguments),
        admin_port=arguments.admin_port,
        admin_host=admin_host_of(arguments),
        admin_grpc_port=arguments.admin_grpc_port,
        load_timeout_ns=arguments.load_timeout,
        skip_broken=arguments.skip_broken,
        workers=arguments.workers,
        worker_silence_ns=_SILENCE_NS if arguments.worker_silence is None else arguments.worker_silence,
        redis=redis_of(arguments),
    )
    protection = protection_of(arguments)
    warn_of_open_doors(settings, protection, terminal)
    accounting = serve(
        arguments.bundle,
        repository=arguments.repository,
        versions=arguments.versions or "latest:1",
        settings=settings,
        protection=protection,
        trusted_key=arguments.trusted_key,
        trust=arguments.trust,
        bundle_key=bundle_key_of(arguments.bundle_key),
        changes=changes_of(arguments),
        on_ready=announce,
    )
    if arguments.json:
        terminal.record(to_json(accounting))
    else:
        terminal.say(
            f"drained: {accounting.accepted:,} accepted, {accounting.answered:,} answered, "
            f"{accounting.failed:,} failed, {accounting.cancelled:,} cancelled, "
            f"{accounting.expired:,} expired, {accounting.lost:,} lost, {accounting.refused:,} refused"
        )
    return ExitCode.OK


def _as_json(urls: "Urls", served: "Sequence[ServedBundle]") -> bytes:
    import json

    places = {"url" if name == "main" else f"{name.replace('-', '_')}_url": url for name, url in urls.items()}
    models = [{"name": one.name, "version": one.version} for one in served]
    return json.dumps({**places, "model": served[0].name, "models": models}).encode() + b"\n"


def _as_text(urls: "Urls", served: "Sequence[ServedBundle]") -> str:
    names = [one.name if len(served) == 1 else f"{one.name} {one.version}" for one in served]
    width = max(map(len, names)) + 1
    first, *others = (f"{f'{name}:':<{width}} {one.label}" for name, one in zip(names, served, strict=True))
    lines = [
        f"serving {first}",
        *(f"        {other}" for other in others),
        f"  at      {_places(urls, _OPEN)}",
        *(f"  {name:<7} {where}" for name, doors in _APART if (where := _places(urls, doors))),
        f"  try     curl {urls['main']}/v2/models/{served[0].name}",
        "  stop    Ctrl-C, or kill -TERM; requests that were accepted are answered first",
    ]
    return "\n".join(lines)


def _places(urls: "Urls", doors: "Sequence[DoorName]") -> str:
    return ", ".join(urls[name] for name in doors if name in urls)
