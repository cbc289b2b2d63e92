"""Which right a request needs, from its method and its path."""

from typing import NamedTuple
from urllib.parse import unquote

from modeldyno.records.security import ALL_MODELS, Verb


class Right(NamedTuple):
    """What a key must allow."""

    verb: Verb
    model: str | None
    """`ALL_MODELS` for what concerns all; None for what concerns none."""


def segments_of(target: bytes) -> list[str]:
    """The parts of a path. The router and the gate must read it alike, or one could be asked past the other."""
    path = target.partition(b"?")[0].decode("latin-1")
    if not path.startswith("/"):
        _, _, path = path.partition("://")[2].partition("/")  # the absolute form, RFC 9112, 3.2.2
    return [unquote(segment) for segment in path.strip("/").split("/")]


def is_administration(method: bytes, segments: list[str]) -> bool:
    """Whether it would change how the server works: load, unload, logging, tracing."""
    match segments:
        case ["v2", "repository", "models", _, "load" | "unload"]:
            return True
        case ["v2", "logging"] | ["v2", "trace", "setting"] | ["v2", "models", _, "trace", "setting"]:
            return method == b"POST"
        case ["v2", "models", _, "versions", _, "trace", "setting"]:
            return method == b"POST"
        case _:
            return False


def right_of(method: bytes, segments: list[str]) -> Right | None:
    """The right that is needed; None for the health endpoints, which probes ask without keys.

    What is not known here needs the right to everything: a new endpoint is closed until it is listed.
    """
    right: Right | None = Right("admin", ALL_MODELS)
    if is_administration(method, segments):
        return Right("admin", segments[3]) if segments[1] == "repository" else right
    match segments:
        case ["v2", "health", "live" | "ready"]:
            right = None
        case ["v2"]:
            right = Right("metadata", None)
        case ["metrics"]:
            right = Right("metrics", None)
        case ["v2", "repository", "index"] | ["v2", "logging"] | ["v2", "trace", "setting"]:
            right = Right("metadata", ALL_MODELS)
        case ["v2", "models", "stats"] | ["v2", "models", "", "stats"]:
            right = Right("statistics", ALL_MODELS)
        case ["v2", "models", name, "versions", _, *rest] | ["v2", "models", name, *rest]:
            right = _right_of_model(name, rest) or right
    return right


def _right_of_model(name: str, rest: list[str]) -> Right | None:
    match rest:
        case ["infer"]:
            return Right("infer", name)
        case ["stats"]:
            return Right("statistics", name)
        case [] | ["ready"] | ["config"] | ["trace", "setting"]:
            return Right("metadata", name)
        case _:
            return None
