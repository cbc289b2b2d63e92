"""`dyno serve`."""

import argparse
import logging
import sys

from modeldyno.cli.arguments import typed
from modeldyno.cli.batching import add_batching, changes_of
from modeldyno.cli.protection import add_protection, bundle_key_of, protection_of, tls_of, warn_of_open_doors
from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode
from modeldyno.units import parse_duration_ns, parse_size_bytes

DESCRIPTION = """Serve a bundle over the Open Inference Protocol (HTTP/1.1 with JSON and binary tensors; gRPC) until
SIGTERM or Ctrl-C; then it answers what it has accepted, and ends."""
EXAMPLES = """  dyno serve out/digits.bundle
  dyno serve out/digits.bundle --host 0.0.0.0 --port 9000 --grpc-port 9001 --server-timing
  dyno serve out/digits.bundle --cache 64MB --cache-ttl 10m
  dyno serve out/digits.bundle --keys keys.db --audit audit.jsonl --tls-cert server.pem --tls-key server.key"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="directory written by dyno tune")
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
    add_batching(parser)
    add_protection(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    import json

    from modeldyno.api.serving import serve
    from modeldyno.records.bundle import Bundle
    from modeldyno.records.files import to_json
    from modeldyno.records.server import ServerSettings

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    grpc_urls: list[str] = []

    def announce(url: str, bundle: Bundle) -> None:
        if arguments.json:
            places = {"url": url, **({"grpc_url": grpc_urls[0]} if grpc_urls else {})}
            terminal.record(json.dumps({**places, "model": bundle.name}).encode() + b"\n")
        else:
            terminal.result(
                f"serving {bundle.name}: {bundle.deployment.label}\n"
                f"  at      {', '.join([url, *grpc_urls])}\n"
                f"  try     curl {url}/v2/models/{bundle.name}\n"
                f"  stop    Ctrl-C, or kill -TERM; requests that were accepted are answered first"
            )
        sys.stdout.flush()

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
        admin_host=arguments.admin_host,
    )
    protection = protection_of(arguments)
    warn_of_open_doors(settings, protection, terminal)
    accounting = serve(
        arguments.bundle,
        settings=settings,
        protection=protection,
        trusted_key=arguments.trusted_key,
        bundle_key=bundle_key_of(arguments.bundle_key),
        changes=changes_of(arguments),
        on_ready=announce,
        on_grpc_ready=grpc_urls.append,
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
