"""Locust's side: `CLOSED` users that never wait, or as many that send ten requests a second each, out of step.

Environment: BODY_FILE, HEADER_LENGTH, PER_USER_S (0 for a closed loop).
"""

import os
import random
from pathlib import Path

import gevent  # type: ignore[import-untyped]
from locust import FastHttpUser, constant, constant_throughput, task  # type: ignore[import-not-found]

BODY = Path(os.environ["BODY_FILE"]).read_bytes()
HEADERS = {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": os.environ["HEADER_LENGTH"],
}
PER_USER_S = float(os.environ["PER_USER_S"])


class Digits(FastHttpUser):  # type: ignore[misc]
    """One user, one connection."""

    concurrency = 1
    wait_time = constant_throughput(PER_USER_S) if PER_USER_S else constant(0)

    def on_start(self) -> None:
        """Users that begin in step would send in bursts, for which their schedule is not to blame."""
        if PER_USER_S:
            gevent.sleep(random.random() / PER_USER_S)  # noqa: S311 - no secret

    @task  # type: ignore[untyped-decorator]
    def infer(self) -> None:
        """One inference."""
        self.client.post("/v2/models/null/infer", data=BODY, headers=HEADERS, name="infer")
