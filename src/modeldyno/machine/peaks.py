"""Where the measured peaks of this machine are kept between commands: a file in the user's cache."""

from pathlib import Path

import msgspec

from modeldyno.errors import InputError
from modeldyno.machine.floors import floors_path
from modeldyno.records.base import Record
from modeldyno.records.environment import Environment
from modeldyno.records.files import digest_bytes, read_record, to_json, write_record
from modeldyno.records.peaks import Peaks

_LIBRARIES = ("modeldyno", "numpy", "onnxruntime", "openvino")


class KeptPeaks(Record, frozen=True, kw_only=True):
    """The file: by digest of the facts, because a cache may be shared by several machines."""

    peaks: dict[str, Peaks] = msgspec.field(default_factory=dict)


def peaks_path() -> Path:
    """`peaks.json`, beside the instrument's floor."""
    return floors_path().with_name("peaks.json")


def keep_peaks(peaks: Peaks, environment: Environment) -> Path:
    """Keep the peaks in place of earlier ones of the same machine; a damaged file is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    path = peaks_path()
    try:
        kept = read_record(path, KeptPeaks) if path.exists() else KeptPeaks()
    except InputError:
        kept = KeptPeaks()  # it is a cache: what cannot be read is measured again
    write_record(path, KeptPeaks(peaks={**kept.peaks, _digest(environment): peaks}))
    return path


def kept_peaks(environment: Environment) -> Peaks | None:
    """The peaks that were measured on this machine with these versions; None when there are none.

    Raises:
        InputError: the file is damaged; measuring again replaces it.
    """
    path = peaks_path()
    return read_record(path, KeptPeaks).peaks.get(_digest(environment)) if path.exists() else None


def _digest(environment: Environment) -> str:
    facts = {
        "cpu_model": environment.cpu_model,
        "cores": str(environment.cores),
        "kernel": environment.kernel,
        **{name: environment.libraries.get(name, "") for name in _LIBRARIES},
    }
    return digest_bytes(to_json(dict(sorted(facts.items()))))
