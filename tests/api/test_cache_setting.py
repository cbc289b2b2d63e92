"""The cache of a bundle's deployment, and what an operator sets instead."""

import argparse
import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.served.server_process import ServerProcess
from modeldyno.api.serving import serve
from modeldyno.cli.batching import add_batching, changes_of
from modeldyno.clock import SystemClock
from modeldyno.errors import UsageError
from modeldyno.records.deployment import BatchingChanges, Cache, Deployment
from modeldyno.records.search import Search
from modeldyno.records.server import ServerSettings
from modeldyno.testing.redis_process import PROGRAM, running_redis


def cache_with(*words: str, bundled: Cache) -> Cache:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_batching(parser)
    deployment = Deployment(artifact="a", runtime="onnxruntime", cache=bundled)
    return changes_of(parser.parse_args(words)).apply(deployment).cache


def test_there_is_no_cache_unless_it_is_asked_for() -> None:
    assert Cache(max_bytes=0) == cache_with(bundled=Deployment(artifact="a", runtime="onnxruntime").cache)


def test_what_is_given_replaces_what_the_bundle_says_and_nothing_else() -> None:
    bundled = Cache(max_bytes=1000, ttl_ns=5)
    assert bundled == cache_with(bundled=bundled)
    assert Cache(max_bytes=64_000_000, ttl_ns=5) == cache_with("--cache", "64MB", bundled=bundled)
    assert Cache(max_bytes=1000, ttl_ns=600 * 10**9) == cache_with("--cache-ttl", "10m", bundled=bundled)


def test_an_age_without_a_cache_is_refused_and_a_size_is_asked_for(tuned: tuple[Search, Path]) -> None:
    with pytest.raises(UsageError, match="no size"):
        serve(tuned[1] / "wine.bundle", settings=ServerSettings(port=0), changes=BatchingChanges(cache_ttl_ns=10**9))


def test_a_served_bundle_remembers_what_it_answered(tuned: tuple[Search, Path], wine: Path, tmp_path: Path) -> None:
    row = np.load(wine / "wine.npz")["X"][:1]
    body = {"inputs": [{"name": "input", "shape": [1, 13], "datatype": "FP32", "data": row.tolist()}]}
    words = ["serve", str(tuned[1] / "wine.bundle"), "--port", "0", "--json", "--cache", "1MB", "--cache-ttl", "10m"]
    with ServerProcess("modeldyno", words, log=tmp_path / "log", clock=SystemClock()) as server:
        model = f"{json.loads(server.first_line)['url']}/v2/models/wine"
        answers = []
        for _ in range(3):
            request = urllib.request.Request(f"{model}/infer", json.dumps(body).encode(), method="POST")  # noqa: S310 - our own server
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
                answers.append(json.load(answer))
        with urllib.request.urlopen(f"{model}/stats") as answer:  # noqa: S310 - the same
            times = json.load(answer)["model_stats"][0]["inference_stats"]
    assert answers[0] == answers[1] == answers[2]
    assert (2, 1) == (times["cache_hit"]["count"], times["cache_miss"]["count"])


@pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")
def test_a_served_bundle_shares_what_it_answered(tuned: tuple[Search, Path], wine: Path, tmp_path: Path) -> None:
    row = np.load(wine / "wine.npz")["X"][:1]
    words = ["serve", str(tuned[1] / "wine.bundle"), "--port", "0", "--json", "--cache", "1MB"]
    words += ["--cache-redis-limit", "20s", "--cache-redis-namespace", "staging", "--cache-redis"]
    clock = SystemClock()
    with (
        running_redis("--requirepass", "open sesame") as redis,
        ServerProcess(
            "modeldyno", [*words, f"redis://:open%20sesame@127.0.0.1:{redis.port}"], log=tmp_path / "log", clock=clock
        ) as server,
    ):
        url, give_up_ns = json.loads(server.first_line)["url"], clock.now_ns() + 60 * 10**9
        while (key := redis.ask("RANDOMKEY", password="open sesame")) is None:  # noqa: S106 - of a server of this test
            assert clock.now_ns() < give_up_ns
            row = row + 1e-3  # until there is a connection, nothing is shared
            body = {"inputs": [{"name": "input", "shape": [1, 13], "datatype": "FP32", "data": row.tolist()}]}
            request = urllib.request.Request(f"{url}/v2/models/wine/infer", json.dumps(body).encode(), method="POST")  # noqa: S310 - our own server
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
                assert 200 == answer.status
    assert isinstance(key, bytes)
    assert key.startswith(b"staging:1:wine:")
    assert "open sesame" not in (tmp_path / "log").read_text()
