import json
import uuid
from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.template import FilledRequest, TemplateError, parse_template, seeded_uuid

TEXTS = st.text(st.characters(codec="utf-8"))


def fill(text: str, **values: object) -> FilledRequest:
    return parse_template(text).fill(values, lambda path: f"<{path}>".encode())


def refuse(text: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        parse_template(text)
    return caught.value


def test_a_template_without_fields_is_sent_as_it_is() -> None:
    text = "PUT /v1/things?a=b HTTP/1.1\nX-One: 1\nX-Two: a:b\n\nline one\nline two\n"

    template = parse_template(text)

    assert "PUT" == template.method
    assert FilledRequest("/v1/things?a=b", (("X-One", "1"), ("X-Two", "a:b")), b"line one\nline two") == fill(text)


def test_comments_stand_before_the_request_only() -> None:
    assert b"# not a comment" == fill("# scores a review\n\n# twice\nPOST /score\n\n# not a comment").body


def test_line_ends_of_windows_are_none_in_the_head_and_stay_in_the_body() -> None:
    filled = fill("POST /p\r\nX-One: 1\r\n\r\n--b\r\n{{part}}\r\n--b--\r\n", part="x")

    assert FilledRequest("/p", (("X-One", "1"),), b"--b\r\nx\r\n--b--") == filled


@given(TEXTS)
def test_a_value_in_a_path_cannot_leave_its_place(value: str) -> None:
    filled = fill("GET /find?q={{q}}&n=1", q=value)

    query = filled.path.partition("?")[2]
    assert {"q": [value], "n": ["1"]} == parse_qs(query, keep_blank_values=True)
    assert filled.path.isascii()
    assert " " not in filled.path


def test_a_slash_in_a_value_makes_no_further_segment() -> None:
    assert "/a/c%2Fd%3Fe/b" == fill("GET /a/{{v}}/b", v="c/d?e").path


@given(TEXTS)
def test_a_text_in_json_stays_a_text_with_or_without_quotes_of_the_template(value: str) -> None:
    filled = fill('POST /p\nContent-Type: application/json\n\n{"a": "<{{v}}>", "b": {{v}}, "c": "\\"{{v}}"}', v=value)

    assert {"a": f"<{value}>", "b": value, "c": f'"{value}'} == json.loads(filled.body)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS, st.lists, max_leaves=5))
def test_a_value_in_json_keeps_its_kind(value: object) -> None:
    assert {"v": value} == json.loads(fill('POST /p\n\n{"v":{{v}}}', v=value).body)


@given(TEXTS)
def test_a_value_in_a_form_is_percent_encoded(value: str) -> None:
    filled = fill("POST /p\nContent-Type: application/x-www-form-urlencoded\n\nv={{v}}&w=1", v=value)

    assert value == unquote(filled.body.decode().partition("=")[2].removesuffix("&w=1"))


def test_a_body_of_another_type_takes_values_as_they_are() -> None:
    assert b'say "7" and [1,2]' == fill("POST /p\n\nsay {{a}} and {{b}}", a='"7"', b=[1, 2]).body
    assert b'{"x":"}' == fill('POST /p\nContent-Type: text/plain\n\n{"x":{{v}}}', v='"').body


def test_filters_override_the_place() -> None:
    filled = fill('POST /p/{{v|raw}}\n\n{"raw": {{v|raw}}, "json": {{v|json}}, "url": "{{ t | url }}"}', v=[1], t="ä b")

    assert "/p/[1]" == filled.path
    assert {"raw": [1], "json": [1], "url": "%C3%A4%20b"} == json.loads(filled.body)


def test_the_content_of_a_file_goes_as_it_is_or_as_base64() -> None:
    filled = fill(
        'POST /p\n\n{"image": {"b64": "{{file|content|base64}}"}, "again": {{file|content|base64}}}', file="a"
    )

    assert {"image": {"b64": "PGE+"}, "again": "PGE+"} == json.loads(filled.body)
    assert b"<a>" == fill("POST /p\nContent-Type: image/png\n\n{{file|content}}", file="a").body


def test_bytes_that_are_no_text_are_refused_in_json_with_the_line() -> None:
    template = parse_template('POST /p\n\n{\n"v": {{v}}}')

    with pytest.raises(TemplateError, match="cannot be written here") as caught:
        template.fill({"v": b"\xff"}, lambda _: b"")

    assert (4, "bytes go into text with {{name|base64}}") == (caught.value.line, caught.value.hint)


def test_fields_and_columns_are_told() -> None:
    template = parse_template("POST /{{$row}}\nX-Id: {{$uuid}}\n\n{{a}}{{b|raw}}{{a}}")

    assert ["$row", "$uuid", "a", "b", "a"] == [one.name for one in template.fields]
    assert {"a", "b"} == template.columns


def test_expectations_are_read_and_not_sent() -> None:
    template = parse_template('POST /p\nexpect-status: 200-204, 404\nExpect-Body: "ok": (true|1)\n\n{}')

    assert ((200, 204), (404, 404)) == template.statuses
    assert '"ok": (true|1)' == template.pattern
    assert () == template.headers


def test_success_is_any_2xx_without_an_expectation() -> None:
    assert ((200, 299),) == parse_template("GET /").statuses


@pytest.mark.parametrize(
    ("text", "line", "said"),
    (
        ("", 1, "there is no request line"),
        ("# nothing\n\n", 3, "there is no request line"),
        ("post /p", 1, "is not a request line"),
        ("POST p", 1, "is not a request line"),
        ("POST /p q", 1, "is not a path"),
        ("POST /p\nno header", 2, "'no header' is not a header"),
        ("POST /p\nX: 1\n\nok\n{{a|b64}}", 5, "unknown filter 'b64'"),
        ("POST /p\n\n{{}}", 3, "names no field"),
        ("POST /p\n\n{{$rows}}", 3, "names no field"),
        ("POST /p\n\nx\n{{a}", 4, "never closed"),
        ("POST /p\nexpect-status: 2xx", 2, "'2xx' is no status"),
        ("POST /p\nexpect-status: 300-200", 2, "'300-200' is no status"),
        ("POST /p\nexpect-body: (", 2, "is not a regular expression"),
    ),
)
def test_what_cannot_be_understood_is_named_with_its_line(text: str, line: int, said: str) -> None:
    problem = refuse(text)

    assert line == problem.line
    assert said in problem.what


def test_a_uuid_is_of_version_4_and_the_same_for_the_same_draw() -> None:
    drawn = seeded_uuid(bytes(range(16)))

    assert seeded_uuid(bytes(range(16))) == drawn
    assert (4, uuid.RFC_4122) == (drawn.version, drawn.variant)
