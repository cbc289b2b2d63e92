"""`create_key`, `list_keys`, `revoke_key`: who gets into a server."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import get_args

import msgspec

from modeldyno.clock import Clock, SystemClock, epoch_ms, wall_time_of
from modeldyno.errors import UsageError
from modeldyno.records.security import Key, KeyList, NewKey, Scope, Verb
from modeldyno.server.protection.keys import KeyFile
from modeldyno.units import format_duration

DEFAULT_SCOPES = ("*:infer,metadata",)
_SHORTEST_NS = 10**9


def create_key(
    file: str | PathLike[str],
    name: str,
    *,
    allow: Sequence[str] = DEFAULT_SCOPES,
    expires_in_ns: int | None = None,
    rows_per_s: float | None = None,
    burst_rows: int | None = None,
    rows_per_day: int | None = None,
    clock: Clock | None = None,
) -> NewKey:
    """Make an API key; the file is made too when it is not there.

    Args:
        file: the key file that `serve` is given.
        name: whom or what it is for.
        allow: scopes, such as `digits:infer,metadata` or `*:admin`.
        expires_in_ns: how long it is good for; None for ever.
        rows_per_s: rows a second that may be computed in the long run.
        burst_rows: rows that may come at once; as many as in one second unless given.
        rows_per_day: rows that may be answered in a UTC day.
        clock: for the date of creation.

    Returns:
        The key and its secret, which is stored nowhere: this is the only time that it is seen.

    Raises:
        UsageError: a scope or a limit makes no sense.
        InputError: the file is no key file.
        OutputError: it cannot be made.
    """
    clock = clock or SystemClock()
    _check_name(name)
    if burst_rows is not None and rows_per_s is None:
        raise UsageError("--burst means nothing without a rate", hint="--rows-per-s N")
    key = Key(
        id="",
        name=name,
        scopes=tuple(parse_scope(text) for text in allow),
        created_at="",
        expires_at=None if expires_in_ns is None else _expiry(clock, expires_in_ns),
        rows_per_s=None if rows_per_s is None else _positive(rows_per_s, "--rows-per-s"),
        burst_rows=_burst(rows_per_s, burst_rows),
        rows_per_day=None if rows_per_day is None else int(_positive(rows_per_day, "--rows-per-day")),
    )
    with KeyFile(Path(file), clock=clock, create=True) as stored:
        made, secret = stored.add(key)
    return NewKey(key=made, secret=secret.reveal().decode())


def list_keys(file: str | PathLike[str], *, clock: Clock | None = None) -> KeyList:
    """All keys of a file, the revoked ones too, in the order of their creation; without their secrets.

    Raises:
        InputError: there is no such file, or it is something else.
    """
    with KeyFile(Path(file), clock=clock or SystemClock()) as stored:
        return KeyList(keys=tuple(one.key for one in stored.read().values()))


def revoke_key(file: str | PathLike[str], key: str, *, clock: Clock | None = None) -> Key:
    """Take a key out of use for good; servers know within a second.

    Args:
        file: the key file.
        key: its id, as `list_keys` shows it.
        clock: for the date.

    Raises:
        UsageError: there is no such key.
        InputError: there is no such file, or it is something else.
    """
    with KeyFile(Path(file), clock=clock or SystemClock()) as stored:
        return stored.revoke(key)


def parse_scope(text: str) -> Scope:
    """`"digits:infer,metadata"`: a pattern of model names and the verbs allowed on them.

    Raises:
        UsageError: it has not this form.
    """
    models, colon, verbs = text.rpartition(":")
    try:
        named = msgspec.convert(tuple(verb.strip() for verb in verbs.split(",")), tuple[Verb, ...])
    except msgspec.ValidationError:
        named = ()
    if not colon or not models.strip() or not named:
        raise UsageError(
            f"{text!r} is not a scope",
            why=f"a scope is a pattern of model names, a colon, and verbs: {', '.join(get_args(Verb))}",
            hint="for example 'digits:infer,metadata' or '*:admin'",
        )
    return Scope(models=models.strip(), verbs=named)


def _check_name(name: str) -> None:
    if not name.strip():
        raise UsageError("a key needs a name", why="a list of keys is of no use without", hint="--name NAME")
    if not name.isprintable():
        raise UsageError(
            f"{name!r} cannot name a key",
            why="it holds what would break the lines of a list, or steer a terminal",
            hint="--name with letters, digits and spaces",
        )


def _expiry(clock: Clock, delay_ns: int) -> str:
    if delay_ns < _SHORTEST_NS:
        raise UsageError(
            f"a key that is good for {format_duration(delay_ns)} lets nobody in",
            why="its end is kept to the second",
            hint="a longer time, such as --expires 90d",
        )
    try:
        return wall_time_of(epoch_ms(clock.wall_time()) + delay_ns // 1_000_000)
    except (ValueError, OverflowError, OSError) as problem:
        raise UsageError(
            f"no calendar has a date {format_duration(delay_ns)} from now",
            hint="--expires 90d; or leave it out for a key that is good for ever",
        ) from problem


def _burst(rows_per_s: float | None, burst_rows: int | None) -> int:
    if rows_per_s is None:
        return 0
    if burst_rows is None:
        return max(1, round(rows_per_s))
    return int(_positive(burst_rows, "--burst"))


def _positive(value: float, option: str) -> float:
    if not value > 0:
        raise UsageError(f"{option} is {value:g}, which lets nothing through", hint="a number above zero")
    return value
