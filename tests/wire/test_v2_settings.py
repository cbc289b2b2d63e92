"""`modeldyno.wire.v2_settings`."""

import json

import pytest

from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_settings import (
    LogSettings,
    check_trace_update,
    decode_log_update,
    encode_log_settings,
    encode_trace_settings,
)

QUIET = LogSettings(log_info=False, log_warning=True, log_error=True, log_verbose_level=0)


def test_log_settings_are_those_of_triton() -> None:
    assert {
        "log_file": "",
        "log_info": False,
        "log_warning": True,
        "log_error": True,
        "log_verbose_level": 0,
        "log_format": "default",
    } == json.loads(encode_log_settings(QUIET))


def test_what_an_update_lacks_stays_as_it_is() -> None:
    updated = decode_log_update(QUIET, b'{"log_info":true,"log_verbose_level":1}')
    assert LogSettings(log_info=True, log_warning=True, log_error=True, log_verbose_level=1) == updated
    assert QUIET == decode_log_update(QUIET, b"")


@pytest.mark.parametrize(
    "body",
    (
        b"[",
        b"[]",
        b"\xff",
        b'{"log_file":"/etc/passwd"}',
        b'{"log_format":"ISO8601"}',
        b'{"log_info":1}',
        b'{"log_verbose_level":-1}',
        b'{"log_verbose_level":"1"}',
        b'{"unknown":true}',
    ),
)
def test_other_log_updates_are_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        decode_log_update(QUIET, body)


def test_tracing_is_off() -> None:
    assert ["OFF"] == json.loads(encode_trace_settings())["trace_level"]


@pytest.mark.parametrize("body", (b"", b"{}", b'{"trace_level":["OFF"]}', b'{"trace_rate":null}'))
def test_a_trace_update_that_changes_nothing_is_taken(body: bytes) -> None:
    check_trace_update(body)


@pytest.mark.parametrize("body", (b"[", b'{"trace_level":["TIMESTAMPS"]}', b'{"trace_rate":"1"}', b'{"other":1}'))
def test_a_trace_update_that_would_trace_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        check_trace_update(body)
