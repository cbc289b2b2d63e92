"""Any request over HTTP: template files, filled from rows of data."""

import math
from collections.abc import Sequence
from pathlib import Path

from modeldyno.api.load.questions.ask import DISTINCT_BYTES, Ask, Prepared, Questions
from modeldyno.api.load.questions.check import Check
from modeldyno.api.load.questions.expectations import answers_of_server, documents_of_rows, expectations
from modeldyno.data.columns import Columns, read_columns
from modeldyno.errors import DataError, InputError, UsageError
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.records.answers import FROM_SERVER
from modeldyno.records.files import digest_bytes
from modeldyno.records.workload import KindShare
from modeldyno.seeds import child_generator
from modeldyno.wire.expected import Expectation
from modeldyno.wire.template import OWN_FIELDS, Template, TemplateError, parse_template, seeded_uuid

_UUID_BYTES = 16


def http_questions(url: str, ask: Ask) -> Questions:
    """Read the templates; the server is not asked anything.

    Raises:
        UsageError: there is none.
        InputError: one cannot be read.
    """
    if not ask.templates:
        raise UsageError("the protocol http needs a request to send", hint="--request FILE.http")
    templates = {str(one.path): read_template(Path(one.path)) for one in ask.templates}
    if len(templates) < len(ask.templates):
        raise UsageError("a request file is named twice", hint="name it once, with the sum of the weights")

    def make(sizes: Sequence[int], seed: int) -> Prepared:
        if set(sizes) != {1}:
            raise UsageError("a request from a template holds one row of the data", hint="leave out --rows")
        return _prepare(url, ask, templates, seed)

    return Questions(
        protocol="http",
        model=ask.model or "+".join(Path(name).stem for name in templates),
        wiring=Wiring(reader="plain", access=ask.access),
        make=make,
    )


def read_template(path: Path) -> Template:
    """The template in a file.

    Raises:
        InputError: it cannot be read, or a line of it cannot be understood.
    """
    try:
        return parse_template(path.read_bytes().decode())
    except OSError as problem:
        raise InputError(f"cannot read the request {path}", why=problem.strerror or str(problem)) from problem
    except UnicodeDecodeError as problem:
        raise InputError(
            f"the request {path} is not UTF-8", why=str(problem), hint="draw bytes from a file: {{file|content}}"
        ) from problem
    except TemplateError as problem:
        raise _explained(path, problem) from problem


def _prepare(url: str, ask: Ask, templates: dict[str, Template], seed: int) -> Prepared:
    columns = None if ask.data is None else read_columns(Path(ask.data))
    requests: list[PreparedRequest] = []
    expected: list[Expectation] = []
    for name, template in templates.items():
        rows = _rows_for(name, template, columns, ask.most_requests // len(templates))
        kind = name if len(templates) > 1 else ""
        filled: list[PreparedRequest] = []
        size = 0
        for row in rows:
            filled.append(_filled(name, template, columns, row, seed)._replace(kind=kind))
            size += len(filled[-1].body)
            if size >= DISTINCT_BYTES // len(templates):
                break
        requests += filled
        expected += _expected(template, ask.check, columns, rows[: len(filled)])
    if ask.is_checked_against_server:
        expected = answers_of_server(Caller(url, ask.access), requests, None, expected)
    total = math.fsum(one.weight for one in ask.templates)
    return Prepared(
        requests=requests,
        kinds=tuple(KindShare(kind=str(one.path), share=one.weight / total) for one in ask.templates)
        if len(templates) > 1
        else (),
        expectations=expectations(ask.check, expected),
        digest=digest_bytes(b"".join(b"%b %b" % (one.path.encode(), one.body) for one in requests)),
        description=None if columns is None else columns.describe(),
    )


def _rows_for(name: str, template: Template, columns: Columns | None, most: int) -> range:
    """Rows to fill the template from; without data so many as differ.

    Raises:
        DataError: it draws from a column that there is not.
    """
    known = columns.names if columns is not None else []
    unknown = next((one for one in template.fields if one.name not in (*known, *OWN_FIELDS)), None)
    if unknown is not None:
        raise DataError(
            f"line {unknown.line} of {name} draws from {unknown.name!r}, which is no column of the data",
            why=f"the columns are {', '.join(known)}" if known else "there are no data",
            hint="" if known else "give rows with --data FILE",
        )
    if columns is not None and template.columns:
        return range(min(most, columns.rows))
    return range(most if template.fields else 1)


def _filled(name: str, template: Template, columns: Columns | None, row: int, seed: int) -> PreparedRequest:
    drawn = child_generator(seed, f"uuid/{name}/{row}").bytes(_UUID_BYTES)
    values: dict[str, object] = {"$row": row, "$uuid": seeded_uuid(drawn)}
    folder = Path()
    if columns is not None and template.columns:
        values |= columns.row(row)
        folder = columns.folder
    missing = next((one for one in template.fields if one.name not in values), None)
    if missing is not None:
        raise DataError(
            f"row {row} of the data (counted from 0) has no {missing.name!r}",
            why=f"line {missing.line} of {name} draws from it",
        )
    try:
        filled = template.fill(values, lambda path: _content(folder / path, row))
    except TemplateError as problem:
        raise _explained(Path(name), problem) from problem
    return PreparedRequest(filled.body, filled.headers, 1, filled.path, template.method)


def _content(path: Path, row: int) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as problem:
        raise DataError(
            f"cannot read {path}, which row {row} of the data names",
            why=getattr(problem, "strerror", None) or str(problem),
            hint="names of files are relative to the folder of the data",
        ) from problem


def _expected(template: Template, check: Check | None, columns: Columns | None, rows: range) -> list[Expectation]:
    given = [Expectation()] * len(rows)
    if check is not None and check.expected != FROM_SERVER:
        if columns is None:
            raise UsageError("expected answers need the data that they are the answers to", hint="--data FILE")
        given = documents_of_rows(check, rows, columns.rows)
    return [
        Expectation(document=one.document, body=one.body, statuses=template.statuses, pattern=template.pattern)
        for one in given
    ]


def _explained(path: Path, problem: TemplateError) -> InputError:
    return InputError(f"line {problem.line} of {path}: {problem.what}", hint=problem.hint)
