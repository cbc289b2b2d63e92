"""A request written as a file: first line, headers, an empty line, body, with fields drawn from rows of data.

The form is that of a message of HTTP/1.1 (RFC 9112, section 2.1)::

    # comments, before the first line only
    POST /v1/score?user={{user}}
    Content-Type: application/json
    expect-status: 200-299, 404
    expect-body: "score": [0-9.]+

    {"text": "{{review}}", "stars": {{stars}}, "image": "{{file|content|base64}}"}

`{{name}}` is the row's value in that column, escaped as its place demands: percent-encoded in the path and in a body of
type `application/x-www-form-urlencoded`; inside quotes of a JSON body as a part of that text; elsewhere in a JSON body
as a whole JSON value; as it is everywhere else. Filters change that: `raw`, `json` and `url` choose the escaping,
`base64` encodes, `content` reads the file that the column names. `{{$row}}` is the number of the row, from 0, and
`{{$uuid}}` a UUID drawn from the seed. `expect-status` and `expect-body` (a regular expression that must be found) say
which answers are right; they are not sent. Without them an answer with a status of 200 to 299 is.
"""

import base64
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

Escaping = Literal["raw", "url", "json", "json_text"]
"""`json_text` is the inside of a JSON string, whose quotes the template has."""

FILTERS = ("json", "raw", "url", "base64", "content")
OWN_FIELDS = ("$row", "$uuid")
_ESCAPING_FILTERS: dict[str, Escaping] = {"json": "json", "raw": "raw", "url": "url"}
_METHOD = re.compile(r"[A-Z]+")
_FIELD = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_UUID_BYTES = 16
_SUCCESS = ((200, 299),)


class TemplateError(Exception):
    """A template that cannot be read, or a row that it cannot be filled from.

    Args:
        what: in words, with the offending text.
        line: where, counted from 1.
        hint: what to write instead.
    """

    def __init__(self, what: str, line: int, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.hint = hint


class Field(NamedTuple):
    """A place to be filled."""

    name: str
    """Of a column, or one of `OWN_FIELDS`."""
    filters: tuple[str, ...]
    escaping: Escaping
    line: int


Part = bytes | Field


class FilledRequest(NamedTuple):
    """A template with one row's values."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Template:
    """A request with fields to be filled."""

    method: str
    path: tuple[Part, ...]
    headers: tuple[tuple[str, tuple[Part, ...]], ...]
    body: tuple[Part, ...]
    statuses: tuple[tuple[int, int], ...]
    """First and last status of each range of right answers."""
    pattern: str
    """A regular expression that the body of a right answer holds; empty for any body."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """All, in the order of the file."""
        parts = [*self.path, *(part for _, value in self.headers for part in value), *self.body]
        return tuple(part for part in parts if isinstance(part, Field))

    @property
    def columns(self) -> frozenset[str]:
        """The columns of data it draws from."""
        return frozenset(one.name for one in self.fields if one.name not in OWN_FIELDS)

    def fill(self, values: Mapping[str, object], read: Callable[[str], bytes]) -> FilledRequest:
        """The request with these values.

        Args:
            values: of every column in `columns`, and of `$row` (int) and `$uuid` (`uuid.UUID`) where they are used.
            read: the content of a file that a column names.

        Raises:
            TemplateError: a value cannot be written at its place.
        """
        return FilledRequest(
            _joined(self.path, values, read).decode("ascii", "replace"),
            tuple((name, _joined(value, values, read).decode("utf-8", "replace")) for name, value in self.headers),
            _joined(self.body, values, read),
        )


def parse_template(text: str) -> Template:
    """A template file.

    Raises:
        TemplateError: no request line, a header that is none, an unknown filter, an expectation that does not parse.
    """
    lines = text.split("\n")
    first = next((index for index, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if first is None:
        raise TemplateError("there is no request line", len(lines), "for example POST /predict")
    end = next((index for index in range(first, len(lines)) if not lines[index].strip()), len(lines))
    method, path = _request_line(lines[first], first + 1)
    headers, statuses, pattern = _headers(lines[first + 1 : end], first + 2)
    # The body stays as it is, line ends included, but for the one that an editor puts at the end of a file.
    body = "\n".join(lines[end + 1 :]).removesuffix("\n").removesuffix("\r")
    is_json, is_form = _kind_of_body(headers, body)
    return Template(
        method=method,
        path=_path_parts(path, first + 1),
        headers=tuple((name, _parts(value, line, "raw")) for name, value, line in headers),
        body=_json_parts(body, end + 2) if is_json else _parts(body, end + 2, "url" if is_form else "raw"),
        statuses=statuses,
        pattern=pattern,
    )


def seeded_uuid(draw: bytes) -> uuid.UUID:
    """A UUID of version 4 (RFC 9562, section 5.4) from 16 drawn bytes."""
    return uuid.UUID(bytes=draw[:_UUID_BYTES], version=4)


def _request_line(line: str, number: int) -> tuple[str, str]:
    # A field may hold spaces around its name, so the line is not simply split.
    method, _, rest = line.strip().partition(" ")
    path = re.sub(r"\s+HTTP/1\.[01]$", "", rest).strip()
    if not _METHOD.fullmatch(method) or not path.startswith("/"):
        raise TemplateError(
            f"{line.strip()!r} is not a request line", number, "a method and a path, for example POST /predict"
        )
    return method, path


def _headers(lines: list[str], number: int) -> tuple[list[tuple[str, str, int]], tuple[tuple[int, int], ...], str]:
    headers: list[tuple[str, str, int]] = []
    statuses: tuple[tuple[int, int], ...] = _SUCCESS
    pattern = ""
    for line_number, line in enumerate(lines, number):
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name or " " in name:
            raise TemplateError(
                f"{line.strip()!r} is not a header", line_number, "NAME: VALUE; an empty line comes before the body"
            )
        if name.lower() == "expect-status":
            statuses = _statuses(value, line_number)
        elif name.lower() == "expect-body":
            pattern = _pattern(value, line_number)
        else:
            headers.append((name, value, line_number))
    return headers, statuses, pattern


def _statuses(text: str, line: int) -> tuple[tuple[int, int], ...]:
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-5]\d\d)\s*(?:-\s*([1-5]\d\d)\s*)?", part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            raise TemplateError(f"{part.strip()!r} is no status or range of them", line, "for example 200-299, 404")
        ranges.append((low, high))
    return tuple(ranges)


def _pattern(text: str, line: int) -> str:
    try:
        re.compile(text.encode())
    except re.error as problem:
        raise TemplateError(f"{text!r} is not a regular expression: {problem}", line) from problem
    return text


def _kind_of_body(headers: list[tuple[str, str, int]], body: str) -> tuple[bool, bool]:
    """Whether the body is JSON, and whether it is a form: by its type, or by its first sign when it has none."""
    kind = next((value.lower() for name, value, _ in headers if name.lower() == "content-type"), None)
    if kind is None:
        return body.lstrip().startswith(("{", "[")) and not body.lstrip().startswith("{{"), False
    return "json" in kind, "x-www-form-urlencoded" in kind


def _path_parts(path: str, line: int) -> tuple[Part, ...]:
    parts = _parts(path, line, "url")
    for part in parts:
        if isinstance(part, bytes) and (b" " in part or not part.isascii()):
            raise TemplateError(f"{path!r} is not a path of a URL", line, "percent-encode spaces and special signs")
    return parts


def _parts(text: str, line: int, escaping: Escaping) -> tuple[Part, ...]:
    return tuple(_pieces(text, line, lambda _: escaping))


def _json_parts(text: str, line: int) -> tuple[Part, ...]:
    """As `_parts`, each field by whether it lies between quotes."""
    is_inside = False

    def escaping(literal: str) -> Escaping:
        nonlocal is_inside
        quotes = len(re.findall(r'(?<!\\)(?:\\\\)*"', literal))
        is_inside ^= quotes % 2 == 1
        return "json_text" if is_inside else "json"

    return tuple(_pieces(text, line, escaping))


def _pieces(text: str, line: int, escaping_after: Callable[[str], Escaping]) -> Iterator[Part]:
    """Literals and fields; `escaping_after` gets each literal in turn and tells the escaping of what follows."""
    end = 0
    for match in _FIELD.finditer(text):
        literal = text[end : match.start()]
        end = match.end()
        field_line = line + text.count("\n", 0, match.start())
        field = _field(match[1], field_line, escaping_after(literal))
        if literal:
            yield literal.encode()
        yield field
    if "{{" in text[end:]:
        place = line + text.count("\n", 0, text.index("{{", end))
        raise TemplateError("{{ is never closed", place, "write {{name}}")
    if text[end:]:
        yield text[end:].encode()


def _field(text: str, line: int, escaping: Escaping) -> Field:
    name, *filters = (part.strip() for part in text.split("|"))
    for one in filters:
        if one not in FILTERS:
            raise TemplateError(
                f"{{{{{text}}}}} has the unknown filter {one!r}", line, f"filters are {', '.join(FILTERS)}"
            )
    if not name or (name.startswith("$") and name not in OWN_FIELDS):
        raise TemplateError(
            f"{{{{{text}}}}} names no field", line, f"a column of the data, or {' or '.join(OWN_FIELDS)}"
        )
    chosen = [_ESCAPING_FILTERS[one] for one in filters if one in _ESCAPING_FILTERS]
    return Field(name, tuple(one for one in filters if one not in _ESCAPING_FILTERS), [escaping, *chosen][-1], line)


def _joined(parts: tuple[Part, ...], values: Mapping[str, object], read: Callable[[str], bytes]) -> bytes:
    return b"".join(part if isinstance(part, bytes) else _written(part, values[part.name], read) for part in parts)


def _written(field: Field, value: object, read: Callable[[str], bytes]) -> bytes:
    for one in field.filters:
        value = read(str(value)) if one == "content" else base64.b64encode(_plain(value)).decode()
    try:
        return _ESCAPED[field.escaping](value)
    except (UnicodeDecodeError, TypeError, ValueError) as problem:
        raise TemplateError(
            f"{{{{{field.name}}}}} holds what cannot be written here: {problem}",
            field.line,
            "bytes go into text with {{name|base64}}",
        ) from problem


def _plain(value: object) -> bytes:
    """A value as text: numbers and lists as JSON has them, nothing for None."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (str, uuid.UUID)):
        return str(value).encode()
    return b"" if value is None else _json(value)


def _json(value: object) -> bytes:
    if isinstance(value, bytes):
        value = value.decode()
    return msgspec.json.encode(value)


def _json_text(value: object) -> bytes:
    return msgspec.json.encode(_plain(value).decode())[1:-1]


def _url(value: object) -> bytes:
    return quote(_plain(value), safe="").encode()


_ESCAPED: dict[Escaping, Callable[[Any], bytes]] = {"raw": _plain, "url": _url, "json": _json, "json_text": _json_text}
