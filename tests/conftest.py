import os
import signal
from collections.abc import Generator

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
