"""Where servers share their answers, as it is typed."""

import argparse
import os

import pytest

from modeldyno.cli.caching import PASSWORD_VARIABLE, add_caching, redis_of
from modeldyno.errors import UsageError
from modeldyno.records.server import RedisCache


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set and removed, so that it is put back afterwards whatever the code under test does to it.
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    monkeypatch.delenv(PASSWORD_VARIABLE)


def read(*words: str) -> RedisCache | None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_caching(parser)
    return redis_of(parser.parse_args(words))


def test_answers_are_shared_with_nobody_unless_it_is_asked_for() -> None:
    assert read() is None


@pytest.mark.parametrize(
    ("url", "expected"),
    (
        ("redis://cache", RedisCache(host="cache")),
        ("redis://cache:7000/3", RedisCache(host="cache", port=7000, database=3)),
        ("redis://cache/", RedisCache(host="cache")),
        ("rediss://[::1]:7000", RedisCache(host="::1", port=7000, tls=True)),
        ("redis://me@cache", RedisCache(host="cache", user="me")),
    ),
)
def test_a_url_says_where_redis_is(url: str, expected: RedisCache) -> None:
    assert expected == read("--cache-redis", url)
    assert PASSWORD_VARIABLE not in os.environ


def test_a_password_in_the_url_goes_to_the_environment_and_into_no_record() -> None:
    redis = read("--cache-redis", "redis://me%40home:open%20sesame%2F@cache")
    assert RedisCache(host="cache", user="me@home") == redis
    assert "open sesame/" == os.environ[PASSWORD_VARIABLE]


def test_the_rest_is_as_given() -> None:
    words = ["--cache-redis", "rediss://cache", "--cache-redis-limit", "5ms", "--cache-redis-namespace", "staging"]
    words += ["--cache-redis-ca", "ca.pem"]
    expected = RedisCache(host="cache", tls=True, authorities="ca.pem", namespace="staging", limit_ns=5 * 10**6)
    assert expected == read(*words)


@pytest.mark.parametrize(
    "url",
    (
        "http://:secret@cache",
        "redis://",
        "redis://:secret@cache:port",
        "redis://:secret@cache:99999",
        "redis://:secret@cache/one",
        "redis://:secret@cache?db=1",
        "redis://:secret@[::1",
        "cache:6379",
        ":secret@cache",
    ),
)
def test_what_is_no_such_url_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(UsageError) as problem:
        read("--cache-redis", url)
    assert "secret" not in f"{problem.value.what} {problem.value.why} {problem.value.hint}"
    assert problem.value.__cause__ is None


@pytest.mark.parametrize(
    "words",
    (
        ("--cache-redis-ca", "ca.pem"),
        ("--cache-redis", "redis://cache", "--cache-redis-ca", "ca.pem"),
        ("--cache-redis", "redis://cache", "--cache-redis-limit", "0ms"),
    ),
)
def test_what_would_mean_nothing_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        read(*words)
