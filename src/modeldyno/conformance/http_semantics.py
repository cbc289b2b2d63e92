"""HTTP itself: verbs, connections, bodies. Proxies and client libraries count on it."""

from modeldyno.conformance.answer import demand, demand_error, demand_object, demand_status, difference, read_infer
from modeldyno.conformance.endings import BrokenRuleError, NoAnswerError
from modeldyno.conformance.http_wire import JSON
from modeldyno.conformance.question import to_bytes
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import OPEN_QUESTION, rest, rfc
from modeldyno.conformance.subject import Subject

_LARGE_BYTES = 4_000_000
"""Below what any server that carries an image allows; a refusal must still be an answer."""
_MOST_PIECES = 200
_LIVE = "/v2/health/live"
_TOO_LARGE = 413


def _get_infer(subject: Subject) -> None:
    demand_status(subject.http.send("GET", f"{subject.path}/infer"), 405)


def _post_metadata(subject: Subject) -> None:
    demand_status(subject.http.send("POST", "/v2", b"{}", JSON), 405)


def _error_of_verb(subject: Subject) -> None:
    reply = subject.http.send("DELETE", "/v2")
    demand(reply.status >= 400, "an error status for DELETE v2", f"status {reply.status}")
    demand_error(reply)


def _allow(subject: Subject) -> None:
    reply = subject.http.send("DELETE", "/v2")
    demand_status(reply, 405)
    demand("GET" in reply.headers.get("allow", ""), "the header Allow with GET", repr(reply.headers.get("allow", "")))


def _head(subject: Subject) -> None:
    wire = subject.http
    content = wire.pack_head("HEAD", _LIVE, {"Connection": "close"})
    shown = f"HEAD {_LIVE}"
    with wire.talk(shown) as connection:
        connection.send(content)
        received = connection.read_to_end()
    head, _, body = received.partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0].decode("latin-1")
    wire.trail.add(shown, f"{line} and {len(body)} bytes of body")
    demand(" 200 " in f"{line} ", "status 200 as for GET", line)
    demand(not body, "no body", f"{len(body)} bytes of body")


def _keep_alive(subject: Subject) -> None:
    wire = subject.http
    with wire.talk(f"GET {_LIVE} twice on one connection") as connection:
        for number in (1, 2):
            shown = f"GET {_LIVE} (request {number} on one connection)"
            connection.send(wire.pack("GET", _LIVE, b"", {}))
            reply = wire.note(shown, connection.read())
            demand_status(reply, 200)
            demand(reply.keeps_alive, "a connection that stays open", "the answer ends it")


def _pipelined(subject: Subject) -> None:
    wire = subject.http
    with wire.talk(f"GET {_LIVE} and GET /v2 in one piece") as connection:
        connection.send(wire.pack("GET", _LIVE, b"", {}) + wire.pack("GET", "/v2", b"", {}))
        first = wire.note(f"GET {_LIVE} and GET /v2 in one piece: the first", connection.read())
        second = wire.note(f"GET {_LIVE} and GET /v2 in one piece: the second", connection.read())
    demand_status(first, 200)
    demand_status(second, 200)
    demand(b'"name"' in second.body, "the server's metadata as the second answer")


def _after_error(subject: Subject) -> None:
    _ = subject.plain
    wire = subject.http
    path = f"{subject.path}/infer"
    with wire.talk(f"POST {path} {{}} and a plain request on one connection") as connection:
        connection.send(wire.pack("POST", path, b"{}", JSON))
        refused = wire.note(f"POST {path} {{}} (first on one connection)", connection.read())
        demand(refused.status >= 400, "an error status", f"status {refused.status}")
        if not refused.keeps_alive:
            return
        connection.send(wire.pack("POST", path, to_bytes(subject.question()), JSON))
        read_infer(wire.note(f"POST {path} (plain, second on the connection)", connection.read()))


def _expect(subject: Subject) -> None:
    plain = subject.repeatable
    wire = subject.http
    body = to_bytes(subject.question())
    path = f"{subject.path}/infer"
    shown = f"POST {path} [Expect: 100-continue], the body held back"
    headers = {**JSON, "Content-Length": str(len(body)), "Expect": "100-continue"}
    with wire.talk(shown) as connection:
        connection.send(wire.pack_head("POST", path, headers))
        received = connection.read_line()
        line = received.partition(b"\r\n")[0].decode("latin-1")
        demand(" 100 " in f"{line} ", "100 Continue before the body is sent", line)
        connection.send(body)
        connection.feed(received)
        reply = wire.note(shown, connection.read())
    found = difference(plain, read_infer(reply))
    demand(not found, "the answer of the plain request", found)


def _chunked(subject: Subject) -> None:
    plain = subject.repeatable
    wire = subject.http
    body = to_bytes(subject.question())
    size = max(7, len(body) // _MOST_PIECES)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    path = f"{subject.path}/infer"
    head = wire.pack_head("POST", path, {**JSON, "Transfer-Encoding": "chunked"})
    reply = wire.exchange(f"POST {path} [Transfer-Encoding: chunked] in {len(pieces)} chunks", head + coded)
    found = difference(plain, read_infer(reply))
    demand(not found, "the answer of the plain request", found)


def _in_pieces(subject: Subject) -> None:
    plain = subject.repeatable
    wire = subject.http
    path = f"{subject.path}/infer"
    content = wire.pack("POST", path, to_bytes(subject.question()), JSON)
    size = max(11, len(content) // _MOST_PIECES)
    shown = f"POST {path} in pieces of {size:,} bytes"
    with wire.talk(shown) as connection:
        for start in range(0, len(content), size):
            connection.send(content[start : start + size])
        reply = wire.note(shown, connection.read())
    found = difference(plain, read_infer(reply))
    demand(not found, "the answer of the plain request", found)


def _content_types(subject: Subject) -> None:
    reply = subject.http.send("GET", "/v2")
    kind = reply.headers.get("content-type", "")
    demand(kind.startswith("application/json"), "metadata of the Content-Type application/json", f"it is {kind!r}")
    _ = subject.plain
    kind = subject.ask(subject.question()).headers.get("content-type", "")
    demand(kind.startswith("application/json"), "answers of the Content-Type application/json", f"it is {kind!r}")


def _no_content_type(subject: Subject) -> None:
    plain = subject.repeatable
    reply = subject.http.send("POST", f"{subject.path}/infer", to_bytes(subject.question()))
    found = difference(plain, read_infer(reply))
    demand(not found, "the answer of the plain request", found)


def _large_body(subject: Subject) -> None:
    plain = subject.repeatable
    body = to_bytes(subject.question()) + b" " * _LARGE_BYTES
    reply = subject.http.send("POST", f"{subject.path}/infer", body, JSON)
    if reply.status == _TOO_LARGE:
        demand_error(reply)
        return
    found = difference(plain, read_infer(reply))
    demand(not found, "the answer of the plain request, or 413", found)


def _encoded_name(subject: Subject) -> None:
    whole = "".join(f"%{byte:02X}" for byte in subject.model.encode())
    demand_status(subject.http.send("GET", subject.path), 200)
    name = demand_object(subject.http.send("GET", f"/v2/models/{whole}")).get("name")
    demand(name == subject.model, f"the metadata of {subject.model!r}", f"those of {name!r}")


def _old_http(subject: Subject) -> None:
    wire = subject.http
    reply = wire.exchange(f"GET {_LIVE} (HTTP/1.0)", wire.pack_head("GET", _LIVE, {}, version="1.0"))
    demand_status(reply, 200)


def _no_host(subject: Subject) -> None:
    wire = subject.http
    reply = wire.exchange(f"GET {_LIVE} without Host", wire.pack_head("GET", _LIVE, {"Host": ""}))
    demand_status(reply, 400)


def _bad_length(subject: Subject) -> None:
    wire = subject.http
    head = wire.pack_head("GET", _LIVE, {"Content-Length": "12x"})
    demand_status(wire.exchange(f"GET {_LIVE} [Content-Length: 12x]", head), 400)


def _two_lengths(subject: Subject) -> None:
    wire = subject.http
    head = wire.pack_head("GET", _LIVE, {"Content-Length": "0", "content-length": "9"})
    demand_status(wire.exchange(f"GET {_LIVE} [Content-Length: 0] [content-length: 9]", head), 400)


def _both_lengths(subject: Subject) -> None:
    wire = subject.http
    path = f"{subject.path}/infer"
    headers = {**JSON, "Content-Length": "4", "Transfer-Encoding": "chunked"}
    content = wire.pack_head("POST", path, headers) + b"2\r\n{}\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"
    shown = f"POST {path} [Content-Length: 4] [Transfer-Encoding: chunked]"
    with wire.talk(shown) as connection:
        connection.send(content)
        reply = wire.note(shown, connection.read())
        if not reply.keeps_alive:
            return
        try:
            second = wire.note(f"{shown}, and what follows it", connection.read())
        except NoAnswerError:
            return
        raise BrokenRuleError(
            "the connection to end: what follows may be smuggled", f"what follows is answered with {second.status}"
        )


RULES = (
    Rule(
        name="http.get-of-infer-answers-405",
        says="GET v2/models/M/infer is answered with 405",
        source=rfc(9110, "15.5.6"),
        severity="recommended",
        check=_get_infer,
    ),
    Rule(
        name="http.post-of-metadata-answers-405",
        says="POST v2 is answered with 405",
        source=rfc(9110, "15.5.6"),
        severity="recommended",
        scope="server",
        check=_post_metadata,
    ),
    Rule(
        name="http.wrong-verb-has-the-error-object",
        says='a wrong verb is answered with {"error": "..."} too',
        source=rest("Server Metadata Response JSON Error Object"),
        severity="recommended",
        scope="server",
        check=_error_of_verb,
        advice="give the framework's own 405 the protocol's error object",
    ),
    Rule(
        name="http.405-names-the-verbs",
        says="405 comes with the header Allow",
        source=rfc(9110, "15.5.6"),
        severity="recommended",
        scope="server",
        check=_allow,
    ),
    Rule(
        name="http.head-is-get-without-a-body",
        says="HEAD v2/health/live is answered with 200 and no body",
        source=rfc(9110, "9.3.2"),
        severity="recommended",
        scope="server",
        check=_head,
        advice="probes of some load balancers send HEAD",
    ),
    Rule(
        name="http.connections-stay-open",
        says="a second request on the same connection is answered",
        source=rfc(9112, "9.3"),
        severity="recommended",
        scope="server",
        check=_keep_alive,
    ),
    Rule(
        name="http.pipelined-requests-are-answered-in-order",
        says="two requests sent at once on a connection are answered one after the other",
        source=rfc(9112, "9.3.2"),
        severity="recommended",
        scope="server",
        check=_pipelined,
    ),
    Rule(
        name="http.connection-survives-an-error",
        says="after an error the connection is ended by the answer, or takes the next request",
        source=rfc(9112, "9.3"),
        severity="recommended",
        check=_after_error,
    ),
    Rule(
        name="http.expect-continue-is-answered",
        says="a client that waits for 100 Continue gets it, and then its answer",
        source=rfc(9110, "10.1.1"),
        severity="recommended",
        check=_expect,
        advice="curl waits a second for it with every body above 1 MB",
    ),
    Rule(
        name="http.chunked-bodies-are-understood",
        says="a request in chunks, of no length known before, is answered as any other",
        source=rfc(9112, "7.1"),
        severity="recommended",
        check=_chunked,
    ),
    Rule(
        name="http.requests-in-pieces-are-understood",
        says="a request that arrives in many small pieces is answered as any other",
        source=rfc(9112, "2.2"),
        severity="recommended",
        check=_in_pieces,
    ),
    Rule(
        name="http.content-type-is-json",
        says="metadata and JSON answers have the Content-Type application/json",
        source=rest("Inference Request Examples"),
        severity="recommended",
        check=_content_types,
    ),
    Rule(
        name="http.content-type-need-not-be-sent",
        says="a JSON request without a Content-Type is understood",
        source=OPEN_QUESTION,
        severity="recommended",
        check=_no_content_type,
    ),
    Rule(
        name="http.large-body-is-answered",
        says="a request of 4 MB is answered, or refused with 413",
        source=rfc(9110, "15.5.14"),
        severity="recommended",
        check=_large_body,
        advice="answer 413 before closing: a reset tells the client nothing",
    ),
    Rule(
        name="http.names-may-be-percent-encoded",
        says="a model's name is found however it is percent-encoded in the path",
        source=rfc(3986, "6.2.2.2"),
        severity="recommended",
        check=_encoded_name,
    ),
    Rule(
        name="http.1.0-is-answered",
        says="a request of HTTP/1.0 is answered",
        source=rfc(9110, "2.5"),
        severity="recommended",
        scope="server",
        check=_old_http,
        advice="probes of some load balancers are of HTTP/1.0",
    ),
    Rule(
        name="http.missing-host-answers-400",
        says="a request of HTTP/1.1 without Host is answered with 400",
        source=rfc(9112, "3.2"),
        severity="recommended",
        scope="server",
        check=_no_host,
    ),
    Rule(
        name="http.bad-content-length-answers-400",
        says="a Content-Length that is no number is answered with 400",
        source=rfc(9112, "6.3"),
        severity="recommended",
        scope="server",
        check=_bad_length,
    ),
    Rule(
        name="http.two-content-lengths-answer-400",
        says="two Content-Lengths that differ are answered with 400",
        source=rfc(9112, "6.3"),
        severity="recommended",
        scope="server",
        check=_two_lengths,
        advice="a proxy that believes the other one lets requests be smuggled",
    ),
    Rule(
        name="http.length-beside-chunks-ends-the-connection",
        says="a body with both a Content-Length and chunks is an error, or ends the connection",
        source=rfc(9112, "6.1"),
        severity="recommended",
        check=_both_lengths,
        advice="a proxy that believes the other one lets requests be smuggled",
    ),
)
