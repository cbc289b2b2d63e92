"""Where the instrument's floor on this machine is kept between commands: a file in the user's cache."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modeldyno.errors import InputError
from modeldyno.records.base import Record
from modeldyno.records.environment import Environment
from modeldyno.records.files import digest_bytes, read_record, to_json, write_record
from modeldyno.records.run import Floor
from modeldyno.records.workload import ProtocolName

FLOOR_PROTOCOLS: tuple[ProtocolName, ...] = ("oip", "oip-json", "oip-grpc", "openai-chat", "null")
"""Those that cost the instrument differently; `null` is no network at all."""
FLOOR_OF: Mapping[ProtocolName, ProtocolName] = {
    "oip": "oip",
    "oip-json": "oip-json",
    "oip-grpc": "oip-grpc",
    "openai-chat": "openai-chat",
    "openai-completions": "openai-chat",
    "openai-embeddings": "oip-json",
    "tf-serving": "oip-json",
    "torchserve": "oip-json",
    "http": "oip-json",
    "in-process": "null",
    "null": "null",
}
"""The one among them that costs the instrument most nearly the same."""
_LIBRARIES = ("modeldyno", "uvloop", "httptools")


class KeptFloor(Record, frozen=True, kw_only=True):
    """A floor, and what it was measured with."""

    measured_at: str
    facts: dict[str, str]
    floor: Floor


class KeptFloors(Record, frozen=True, kw_only=True):
    """The file: by digest of the facts, because a cache may be shared by several machines."""

    floors: dict[str, KeptFloor] = msgspec.field(default_factory=dict)


def floors_path() -> Path:
    """`floor.json` in the user's cache, as the XDG Base Directory Specification places it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is invalid and is to be ignored.
    cache = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return cache / "modeldyno" / "floor.json"


def keep_floor(floor: Floor, environment: Environment, measured_at: str) -> Path:
    """Keep a floor in place of an earlier one of the same machine; a damaged file is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    path = floors_path()
    try:
        kept = read_record(path, KeptFloors) if path.exists() else KeptFloors()
    except InputError:
        kept = KeptFloors()  # it is a cache: what cannot be read is measured again
    facts = facts_of(environment, floor.protocol)
    one = KeptFloor(measured_at=measured_at, facts=facts, floor=floor)
    write_record(path, KeptFloors(floors={**kept.floors, _digest(facts): one}))
    return path


def kept_floor(environment: Environment, protocol: ProtocolName = "oip") -> Floor | None:
    """The floor of a protocol that was measured on this machine with these versions; None when there is none.

    Raises:
        InputError: the file is damaged; measuring again replaces it.
    """
    path = floors_path()
    if not path.exists():
        return None
    kept = read_record(path, KeptFloors).floors.get(_digest(facts_of(environment, protocol)))
    return kept.floor if kept is not None else None


def facts_of(environment: Environment, protocol: ProtocolName) -> dict[str, str]:
    """What the floor depends on; another machine or version has another floor."""
    return {
        "protocol": protocol,
        "cpu_model": environment.cpu_model,
        "cores": str(environment.cores),
        "kernel": environment.kernel,
        "python": environment.python,
        **{name: environment.libraries.get(name, "") for name in _LIBRARIES},
    }


def _digest(facts: dict[str, str]) -> str:
    return digest_bytes(to_json(dict(sorted(facts.items()))))
