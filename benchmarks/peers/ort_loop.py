"""ONNX Runtime in a loop, without any server: `MODEL=FILE python ort_loop.py ROW.npy ROWS SECONDS`.

It prints `ready`, begins when it can read a line, and then prints calls, seconds, seconds of CPU, and the median of
a call in µs, as JSON.
"""

import json
import os
import statistics
import sys
import time

import numpy as np
from one_thread import open_session  # type: ignore[import-not-found]


def main(row: str, rows: str, seconds: str) -> None:
    """Compute the row, so many at once, for so long."""
    session = open_session(os.environ["MODEL"])
    inputs = {"x": np.repeat(np.load(row), int(rows), axis=0)}
    session.run(["y"], inputs)
    print("ready", flush=True)
    sys.stdin.readline()
    taken_ns = []
    began_ns, began_cpu_s = time.monotonic_ns(), time.process_time()
    end_ns = began_ns + int(float(seconds) * 1e9)
    now_ns = began_ns
    while now_ns < end_ns:
        session.run(["y"], inputs)
        before_ns, now_ns = now_ns, time.monotonic_ns()
        taken_ns.append(now_ns - before_ns)
    found = {
        "calls": len(taken_ns),
        "seconds": (now_ns - began_ns) / 1e9,
        "cpu_s": time.process_time() - began_cpu_s,
        "median_us": statistics.median(taken_ns) / 1e3,
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
