"""Compressed requests and answers."""

import gzip
import zlib
from collections.abc import Callable

from modeldyno.conformance.answer import demand, demand_refusal, difference, read_infer
from modeldyno.conformance.endings import BrokenRuleError, NotOfferedError
from modeldyno.conformance.http_wire import JSON, Reply
from modeldyno.conformance.question import to_bytes
from modeldyno.conformance.rule import Check, Rule
from modeldyno.conformance.sources import rfc
from modeldyno.conformance.subject import Subject

_TRITON = "Triton, docs/protocol/README.md (HTTP request and response compression)"
_UNSUPPORTED = 415


def _send(subject: Subject, body: bytes, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return subject.http.send("POST", f"{subject.path}/infer", body, {**JSON, **named})


def _request(coding: str, compress: Callable[[bytes], bytes]) -> Check:
    def check(subject: Subject) -> None:
        plain = subject.repeatable
        reply = _send(subject, compress(to_bytes(subject.question())), Content_Encoding=coding)
        if reply.status == _UNSUPPORTED:
            raise NotOfferedError(f"the server refuses {coding} with 415, as a server without it should")
        demand(
            reply.status == 200,
            f"the {coding} body to be understood, or 415 Unsupported Media Type",
            f"status {reply.status}",
        )
        found = difference(plain, read_infer(reply))
        demand(not found, "the answer of the plain request", found)

    return check


def _answer(coding: str, expand: Callable[[bytes], bytes]) -> Check:
    def check(subject: Subject) -> None:
        plain = subject.repeatable
        # Some servers leave small answers as they are.
        question = {"id": "x" * 5_000, **subject.question()}
        reply = _send(subject, to_bytes(question), Accept_Encoding=coding)
        given = reply.headers.get("content-encoding", "identity")
        if given == "identity":
            raise NotOfferedError(f"answers are not compressed with {coding}")
        demand(given == coding, f"the Content-Encoding {coding}", f"it is {given!r}")
        try:
            body = expand(reply.body)
        except (OSError, EOFError, zlib.error) as problem:
            raise BrokenRuleError(f"a body of {coding}", str(problem)) from problem
        found = difference(plain, read_infer(reply._replace(body=body)))
        demand(not found, "the answer of the plain request", found)

    return check


def _corrupt(subject: Subject) -> None:
    _ = subject.plain
    body = gzip.compress(to_bytes(subject.question()))
    if _send(subject, body, Content_Encoding="gzip").status != 200:
        raise NotOfferedError("the server takes no gzip")
    demand_refusal(_send(subject, body[:20] + b"\x00\xff\x00\xff", Content_Encoding="gzip"))


def _unasked(subject: Subject) -> None:
    _ = subject.plain
    reply = _send(subject, to_bytes({"id": "x" * 5_000, **subject.question()}), Accept_Encoding="identity")
    given = reply.headers.get("content-encoding", "identity")
    demand(given == "identity", "an answer as it is where no compression was asked for", f"it is {given!r}")


def _unknown(subject: Subject) -> None:
    _ = subject.plain
    reply = _send(subject, to_bytes(subject.question()), Content_Encoding="x-modeldyno")
    demand(reply.status == _UNSUPPORTED, "status 415", f"status {reply.status}")


RULES = (
    Rule(
        name="compression.gzip-requests-are-understood",
        says="a request with Content-Encoding: gzip is answered, or refused with 415",
        source=_TRITON,
        severity="extension",
        check=_request("gzip", gzip.compress),
        advice="refuse what is not understood with 415, so that a client can tell",
    ),
    Rule(
        name="compression.deflate-requests-are-understood",
        says="a request with Content-Encoding: deflate (of zlib) is answered, or refused with 415",
        source=_TRITON,
        severity="extension",
        check=_request("deflate", zlib.compress),
    ),
    Rule(
        name="compression.gzip-answers-can-be-had",
        says="an answer to Accept-Encoding: gzip is the same, compressed or not",
        source=_TRITON,
        severity="extension",
        check=_answer("gzip", gzip.decompress),
    ),
    Rule(
        name="compression.deflate-answers-can-be-had",
        says="an answer to Accept-Encoding: deflate is the same, compressed or not",
        source=_TRITON,
        severity="extension",
        check=_answer("deflate", zlib.decompress),
    ),
    Rule(
        name="compression.damaged-gzip-is-refused",
        says='a damaged gzip body is refused with a status 4xx and {"error": "..."}',
        source=_TRITON,
        severity="extension",
        check=_corrupt,
    ),
    Rule(
        name="compression.only-on-request",
        says="an answer is not compressed for a client that asks for identity",
        source=rfc(9110, "12.5.3"),
        severity="recommended",
        check=_unasked,
    ),
    Rule(
        name="compression.unknown-coding-answers-415",
        says="a Content-Encoding that nobody knows is refused with 415",
        source=rfc(9110, "15.5.16"),
        severity="recommended",
        check=_unknown,
        advice="a body that is read as if it were not encoded may even be valid",
    ),
)
