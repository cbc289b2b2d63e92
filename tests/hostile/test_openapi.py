"""The published OpenAPI document is true of the server: requests drawn from its schemas, every path, every verb."""

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import settings
from tests.hostile.served_document import closed, served_document
from tests.hostile.willing import willing_server

from modeldyno.testing.running_server import RunningServer
from modeldyno.wire.v2_openapi import openapi_document, openapi_page

Case: TypeAlias = schemathesis.Case[Any]
PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with willing_server() as running:
        yield running


def test_what_is_published_is_what_the_code_says() -> None:
    assert openapi_page() == PUBLISHED.read_text()


WORDS = (
    "v2", "health", "live", "ready", "models", "highest", "versions", "1", "infer", "stats", "config", "trace",
    "setting", "repository", "index", "load", "unload", "logging", "metrics", "openapi.json", "generate",
)  # fmt: skip
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def paths_of_words() -> Iterator[str]:
    """All paths of the protocol's words that could be anything."""
    for base, depth in (
        ("", 3), ("/v2/models/highest", 2), ("/v2/models/highest/versions/1", 2), ("/v2/repository/models/highest", 1),
    ):  # fmt: skip
        for length in range(1, depth + 1):
            yield from (f"{base}/{'/'.join(words)}" for words in product(WORDS, repeat=length))


def test_every_path_that_is_served_is_in_the_document_and_the_other_way_around(server: RunningServer) -> None:
    templates = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for path in openapi_document()["paths"]]
    seen = set()
    with server.connect() as client:
        for path in paths_of_words():
            reply = client.ask("GET", path)
            is_served = reply.status != 404 or not json.loads(reply.body)["error"].startswith("nothing is served")
            matching = [template for template in templates if template.fullmatch(path)]
            assert bool(matching) == is_served, path
            seen.update(matching)
    assert set(templates) == seen


def test_every_verb_that_is_answered_is_in_the_document_and_the_other_way_around(server: RunningServer) -> None:
    with server.connect() as client:
        for path, item in openapi_document()["paths"].items():
            if path.endswith("load"):
                continue  # refused whatever the verb: it is for the admin port
            declared = {verb for verb in VERBS if verb.lower() in item}
            for verb in VERBS:
                reply = client.ask(verb, path.format(name="highest", version="1"))
                assert (verb in declared) == (reply.status != 405), (verb, path)
                if reply.status == 405:
                    assert declared == set(reply.headers["allow"].split(", "))


SCHEMA = schemathesis.openapi.from_dict(closed(served_document()))
ADMINISTERED = SCHEMA.include(path_regex="logging|trace|repository")


@SCHEMA.parametrize()
@settings(max_examples=10)
def test_what_the_document_allows_is_answered_as_it_says_and_nothing_else_is(server: RunningServer, case: Case) -> None:
    case.call_and_validate(base_url=server.url)


@ADMINISTERED.parametrize()
@settings(max_examples=10)
def test_the_admin_port_keeps_the_same_document(server: RunningServer, case: Case) -> None:
    case.call_and_validate(base_url=server.admin_url)


@pytest.mark.slow
@SCHEMA.parametrize()
@settings(max_examples=200)
def test_many_more_requests_find_nothing_more(server: RunningServer, case: Case) -> None:
    case.call_and_validate(base_url=server.admin_url)
