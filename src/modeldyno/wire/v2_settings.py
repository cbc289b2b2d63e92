"""The documents of `v2/logging` and `v2/trace/setting`, Triton's extensions of the same names.

Sources: extension_logging.md and extension_trace.md under docs/protocol of triton-inference-server/server.
"""

from typing import Any, Literal

import msgspec

from modeldyno.wire.errors import WireError


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to the log."""

    log_file: Literal[""] = ""
    """The log goes to standard error; as in Triton, no request can make it go elsewhere."""
    log_info: bool
    log_warning: bool
    log_error: bool
    log_verbose_level: int
    """Above 0 all is written."""
    log_format: Literal["default"] = "default"


_HIGHEST_LEVEL = 2**32 - 1
"""As the message of gRPC has it."""
_UNTRACED = {
    "trace_level": ["OFF"],
    "trace_rate": "1000",
    "trace_count": "-1",
    "log_frequency": "0",
    "trace_file": "",
    "trace_mode": "triton",
}
"""Nothing is traced; where the time of a request went is in its header `Server-Timing`, and in the metrics."""


def encode_log_settings(settings: LogSettings) -> bytes:
    """The answer of `v2/logging`."""
    return msgspec.json.encode(settings)


def decode_log_update(settings: LogSettings, body: bytes | bytearray) -> LogSettings:
    """The settings after an update: members that it lacks stay as they are.

    Raises:
        WireError: it is no object of settings, or of one that cannot be changed.
    """
    merged = {**msgspec.structs.asdict(settings), **_decode_object(body)}
    try:
        updated = msgspec.convert(merged, LogSettings)
    except msgspec.ValidationError as problem:
        raise WireError(f"not a valid update of the log settings: {problem}") from problem
    if not 0 <= updated.log_verbose_level <= _HIGHEST_LEVEL:
        raise WireError(f"log_verbose_level is {updated.log_verbose_level}; it goes from 0 to {_HIGHEST_LEVEL}")
    return updated


def encode_trace_settings() -> bytes:
    """The answer of `v2/trace/setting`."""
    return msgspec.json.encode(_UNTRACED)


def check_trace_update(body: bytes | bytearray) -> None:
    """An update of the trace settings must leave tracing off.

    Raises:
        WireError: it is no object of settings, or would trace.
    """
    update = _decode_object(body)
    for name, value in update.items():
        if name not in _UNTRACED:
            raise WireError(f"unknown trace setting {name!r}; there are {', '.join(_UNTRACED)}")
        if value not in (None, _UNTRACED[name]):  # null asks for the default
            raise WireError(f"{name} cannot be {value!r}: tracing is not offered; see Server-Timing and /metrics")


def _decode_object(body: bytes | bytearray) -> dict[str, Any]:
    if not body:
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise WireError(f"not a valid object of settings: {problem}") from problem
