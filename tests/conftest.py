import os
import signal
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from tests.stalled import excuse

# No test depends on how fast the machine is; and what CI runs can be repeated exactly.
settings.register_profile("modeldyno", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("modeldyno")

# A shell that starts its command in the background has it ignore Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the floor that a user keeps."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """By file, pytest-xdist deals tests out by their names; of those that share one it would run the first alone."""
    shared = [name for name, count in Counter(ids).items() if count > 1]
    if shared and node.config.option.dist == "loadfile":
        raise pytest.UsageError(f"several tests are called {shared[0]}: run them with --dist worksteal")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A `real_time` test that fails while the hypervisor takes processor time away has shown nothing: it is skipped."""
    before = ProcessorTime.read()
    try:
        return (yield)
    except AssertionError as problem:
        stolen = stolen_fraction(before, ProcessorTime.read())
        reason = excuse(problem, stolen=stolen, is_real_time=item.get_closest_marker("real_time") is not None)
        if reason is None:
            raise
        pytest.skip(reason)
