"""Write the reference pages from the code, or with `--check` fail when they, a link or an example have gone stale.

Usage: python docs/generate.py [--check]
"""

import ast
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path

import msgspec

from modeldyno.cli.invocation import parser_of
from modeldyno.cli.main import VERBS, help_text
from modeldyno.errors import DynoError, ExitCode
from modeldyno.records.bundle import Bundle, BundleSignature, Datasheet, Samples
from modeldyno.records.capacity import Capacity
from modeldyno.records.combination import Combination
from modeldyno.records.comparison import Comparison
from modeldyno.records.conformance import Conformance
from modeldyno.records.data_document import DataDocument
from modeldyno.records.derivation import Derivation
from modeldyno.records.doctor import Checkup
from modeldyno.records.evaluation import Evaluation
from modeldyno.records.fusion import Fusion
from modeldyno.records.inspection import Inspection
from modeldyno.records.pipeline import Pipeline
from modeldyno.records.preparation import Preparation, Prepared
from modeldyno.records.processing import Processing
from modeldyno.records.run import Run
from modeldyno.records.search import Search
from modeldyno.records.security import AuditReport, KeyList, NewKey
from modeldyno.records.speed import Profile
from modeldyno.wire.v2_openapi import openapi_page

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
RECORDS = (
    Run, Search, Bundle, BundleSignature, Datasheet, Samples, Profile, Evaluation, Comparison, Checkup, Capacity,
    Conformance, KeyList, NewKey, AuditReport, Pipeline, Processing, Combination, DataDocument, Preparation, Prepared,
    Fusion, Derivation, Inspection,
)  # fmt: skip
WIDTH = 100


def command_page() -> str:
    """Every verb's help, as it is printed."""
    parts = ["# Command line\n", "Written by `python docs/generate.py`.\n", f"```text\n{help_text().rstrip()}\n```\n"]
    for verb, (module, _) in VERBS.items():
        parser = parser_of(verb, import_module(f"modeldyno.cli.commands.{module}"))
        parts.append(f"## dyno {verb}\n\n```text\n{parser.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


def exit_code_page() -> str:
    """Exit codes and the errors that lead to them."""
    source = Path(str(sys.modules[ExitCode.__module__].__file__)).read_text()
    meanings = dict(re.findall(r'^    ([A-Z_]+) = \d+\n    """(.*?)"""', source, re.MULTILINE))
    rows = [f"| {code.value} | {code.name} | {meanings[code.name]} |" for code in ExitCode]
    tree = (sys.modules[ExitCode.__module__].__doc__ or "").split("::\n\n", 1)[1].split("\n\n", 1)[0]
    return (
        "# Exit codes\n\nWritten by `python docs/generate.py`.\n\n| code | name | meaning |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nThe errors behind them:\n\n```text\n{tree}\n```\n"
    )


def support_page() -> str:
    """The models that go all the way, as far as the tests prove it."""
    rows = []
    for path in sorted((ROOT / "tests" / "formats").glob("test_*.py")):
        tree = ast.parse(path.read_text())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                rows += _proven(node, path.name, marks_of_file=_marks_of_file(tree))
    return (
        "# Models that are supported\n\nWritten by `python docs/generate.py` from the tests that take a model of each "
        "kind from its file to a served bundle and\ncompare the answers with those of its own library.\n\n"
        "| model | files | runs code when loaded | extra | proven by |\n|---|---|---|---|---|\n"
        + "\n".join(sorted(rows, key=str.lower))
        + "\n"
    )


def _marks_of_file(tree: ast.Module) -> str:
    texts = (ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign))
    return "".join(text for text in texts if text.startswith("pytestmark"))


def _proven(test: ast.FunctionDef, file: str, *, marks_of_file: str) -> list[str]:
    marks = [one for one in test.decorator_list if isinstance(one, ast.Call)]
    texts = [ast.unparse(one) for one in test.decorator_list]
    command = "make test-formats" if any("mark.slow" in text for text in (*texts, marks_of_file)) else "make test"
    rows = []
    for mark in marks:
        if ast.unparse(mark.func) != "pytest.mark.proves":
            continue
        told = {str(word.arg): ast.literal_eval(word.value) for word in mark.keywords}
        code = "yes: `--trust`" if told.get("code") else "no"
        extra = f"`{told['extra']}`" if "extra" in told else ""
        model, proof = ast.literal_eval(mark.args[0]), f"`{file}::{test.name}` ({command})"
        rows.append(f"| {model} | {told['files']} | {code} | {extra} | {proof} |")
    return rows


def schema_pages() -> dict[Path, str]:
    """One JSON Schema a document, and a list of them."""
    pages = {}
    rows = []
    for record in RECORDS:
        name = record.__name__.lower()
        schema = msgspec.json.schema(record)
        text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
        pages[REFERENCE / "schemas" / f"{name}.json"] = text
        first = (record.__doc__ or "").strip().splitlines()[0]
        rows.append(f"| [{name}](schemas/{name}.json) | `{_schema_name(record)}` | {first} |")
    pages[REFERENCE / "records.md"] = (
        "# Records\n\nWritten by `python docs/generate.py`. Durations are nanoseconds, sizes bytes, rates per second,\n"
        "fractions between 0 and 1; an estimate is `{value, low, high}` with a 95 % interval.\n\n"
        "| record | schema | what it is |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )
    return pages


def _schema_name(record: type[msgspec.Struct]) -> str:
    field = next(field for field in msgspec.structs.fields(record) if field.name == "schema")
    return str(field.default)


def pages() -> dict[Path, str]:
    """All generated pages."""
    return {
        REFERENCE / "command-line.md": command_page(),
        REFERENCE / "exit-codes.md": exit_code_page(),
        REFERENCE / "openapi.json": openapi_page(),
        REFERENCE / "models.md": support_page(),
        **schema_pages(),
    }


def stale_pages() -> list[str]:
    """Generated pages that differ from what the code says now."""
    return [
        f"{path.relative_to(ROOT)} is stale: run `make docs`"
        for path, text in pages().items()
        if not path.is_file() or path.read_text() != text
    ]


def written_pages() -> list[Path]:
    """All Markdown pages of the project."""
    pages = [page for folder in ("docs", "benchmarks") for page in sorted((ROOT / folder).rglob("*.md"))]
    return [ROOT / "README.md", *(page for page in pages if ".venvs" not in page.parts)]


def broken_links() -> list[str]:
    """Relative links that lead nowhere."""
    return [
        f"{page.relative_to(ROOT)}: link to {target} leads nowhere"
        for page in written_pages()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]


def broken_examples() -> list[str]:
    """`dyno` command lines in the pages that the parser would refuse."""
    broken = []
    for page in written_pages():
        blocks = re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(), re.DOTALL)
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["dyno"] and (problem := _refusal(words[1:])):
                broken.append(f"{page.relative_to(ROOT)}: `{line}`: {problem}")
    return broken


def _refusal(words: list[str]) -> str:
    if not words or words[0].startswith("-"):
        return ""
    if words[0] not in VERBS:
        return f"unknown verb {words[0]}"
    command = import_module(f"modeldyno.cli.commands.{VERBS[words[0]][0]}")
    try:
        parser_of(words[0], command).parse_args([word for word in words[1:] if word != "&"])
    except DynoError as problem:
        return problem.what
    return ""


def main() -> int:
    """Write, or check."""
    if "--check" not in sys.argv[1:]:
        for path, text in pages().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"wrote {len(pages())} pages under docs/reference")
    problems = [*stale_pages(), *broken_links(), *broken_examples()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    import os

    os.environ["COLUMNS"] = str(WIDTH)
    sys.exit(main())
