"""A server that ends with its test."""

import contextlib
from collections.abc import Callable, Iterator

import msgspec
import pytest

from modeldyno.records.server import ServerSettings
from modeldyno.server.serving import ServedModel
from modeldyno.testing.running_server import RunningServer


@pytest.fixture
def serving() -> Iterator[Callable[..., RunningServer]]:
    """Start a server with these models and settings."""
    with contextlib.ExitStack() as stack:

        def start(*models: ServedModel, **settings: object) -> RunningServer:
            record = msgspec.convert({"port": 0, **settings}, ServerSettings)
            return stack.enter_context(RunningServer(*models, settings=record))

        yield start
