"""A run of a minute, in a process that the tests of `test_crash.py` hurt: `long_run.py URL DIRECTORY ENVIRONMENT`."""

import sys
from pathlib import Path

import msgspec

from modeldyno.clock import SystemClock
from modeldyno.errors import DynoError
from modeldyno.loadgen.driver import run_load
from modeldyno.loadgen.recorder import finish_run, start_run
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.protocols import Silent
from modeldyno.records.run import Run


class Speaker(Silent):
    def advance(self, done: float, text: str | None = None) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def main() -> int:
    url, directory, record = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    run = msgspec.json.decode(record, type=Run)
    workload = msgspec.structs.replace(run.requested, url=url, requests=20_000, workers=2, rate_per_s=300.0)
    start_run(directory, run)
    try:
        result = run_load(
            workload,
            [PreparedRequest(b"x" * 100, (), 1)],
            run_directory=directory,
            clock=SystemClock(),
            progress=Speaker(),
        )
    except DynoError as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem.what}: {problem.why}\n")
        return problem.exit_code
    state = "interrupted" if result.interrupted else "complete"
    finish_run(directory, msgspec.structs.replace(run, state=state), result.requests)
    return 130 if result.interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
