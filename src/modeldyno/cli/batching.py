"""Arguments of how requests wait, are batched and are answered again."""

import argparse
from typing import TYPE_CHECKING

from modeldyno.cli.typed import typed
from modeldyno.errors import UsageError
from modeldyno.units import parse_duration_ns, parse_size_bytes

if TYPE_CHECKING:
    from modeldyno.records.deployment import BatchingChanges, Buckets, Lane


def add_batching(parser: argparse.ArgumentParser) -> None:
    """Declare them; what is not given stays as the bundle says."""
    group = parser.add_argument_group("waiting and batching", "what is not given is as the bundle says")
    group.add_argument(
        "--timeout",
        type=typed(_parse_timeout_ns),
        metavar="TIME",
        help="from a request's first byte to its answer; then it gets 504. A request may ask for less",
    )
    group.add_argument(
        "--max-queue", type=typed(_parse_rows), metavar="ROWS", help="rows that may wait; beyond that requests get 503"
    )
    group.add_argument(
        "--max-delay", type=typed(parse_duration_ns), metavar="TIME", help="how long an idle instance waits for company"
    )
    group.add_argument(
        "--preferred-rows", type=typed(_parse_sizes), metavar="N,N", help="batches of these sizes wait for nobody"
    )
    group.add_argument(
        "--priorities",
        type=typed(_parse_lanes),
        metavar="ROWS,ROWS",
        help="rows that may wait at each priority, the highest first; - for as many as the queue holds",
    )
    group.add_argument("--default-priority", type=int, metavar="N", help="of requests without one; 1 is the highest")
    group.add_argument(
        "--bucket",
        action="append",
        type=typed(_parse_bucket),
        metavar="DIM=N,N",
        help="pad this variable dimension up to these sizes, so that unlike requests are one batch; repeatable",
    )
    group.add_argument("--pad-value", type=float, metavar="X", help="what inputs are padded with")
    group.add_argument(
        "--cache",
        type=typed(parse_size_bytes),
        metavar="SIZE",
        help="memory for answers that are given again when the same key holder asks the same; 0 for none",
    )
    group.add_argument(
        "--cache-ttl", type=typed(parse_duration_ns), metavar="TIME", help="how long an answer may be given again"
    )


def changes_of(arguments: argparse.Namespace) -> "BatchingChanges":
    """The record of what was given."""
    from modeldyno.records.deployment import BatchingChanges

    return BatchingChanges(
        max_delay_ns=arguments.max_delay,
        preferred_rows=arguments.preferred_rows,
        lanes=arguments.priorities,
        default_priority=arguments.default_priority,
        buckets=None if arguments.bucket is None else tuple(arguments.bucket),
        pad_value=arguments.pad_value,
        timeout_ns=arguments.timeout,
        max_queued_rows=arguments.max_queue,
        cache_bytes=arguments.cache,
        cache_ttl_ns=arguments.cache_ttl,
    )


def _parse_timeout_ns(text: str) -> int:
    timeout_ns = parse_duration_ns(text)
    if timeout_ns < 1:
        raise UsageError(f"a timeout of {text!r} answers nothing", hint="give a time above 0, such as 250ms")
    return timeout_ns


def _parse_rows(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{text!r} is not a number of rows", hint="give a whole number from 1")
    return int(text)


def _parse_sizes(text: str) -> tuple[int, ...]:
    return tuple(_parse_rows(part) for part in text.split(","))


def _parse_lanes(text: str) -> "tuple[Lane, ...]":
    from modeldyno.records.deployment import Lane

    return tuple(Lane(max_queued_rows=None if part == "-" else _parse_rows(part)) for part in text.split(","))


def _parse_bucket(text: str) -> "Buckets":
    from modeldyno.records.deployment import Buckets

    dimension, separator, sizes = text.partition("=")
    if not dimension or not separator:
        raise UsageError(f"{text!r} is not a dimension and its sizes", hint="give it as sequence=16,32,64")
    return Buckets(dimension=dimension, sizes=_parse_sizes(sizes))
