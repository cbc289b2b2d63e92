"""What mypyc would compile to something else than Python does: see `docs/decisions/0024-compiled-serving-path.md`."""

import ast
import tomllib
from pathlib import Path

import pytest

from modeldyno.machine.environment import is_compiled
from modeldyno.server import routes

ROOT = Path(__file__).parent.parent
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
MODULES = [ROOT / "src" / "modeldyno" / name for name in WHEEL["hooks"]["custom"]["modules"]]


def two_sided_slices(code: str) -> list[str]:
    """All `x[a:b]`, but for those of memoryviews, which are called `view` here or made on the spot."""
    slices = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Subscript)]
    cut = [one for one in slices if isinstance(one.slice, ast.Slice) and one.slice.lower and one.slice.upper]
    found = [ast.unparse(one) for one in cut]
    return [text for text in found if not text.startswith(("view[", "memoryview("))]


def classes_with_keywords(code: str) -> list[str]:
    """Records among them: `class Call(msgspec.Struct, eq=False)`."""
    classes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ClassDef)]
    return [one.name for one in classes if one.keywords or any("Struct" in ast.unparse(base) for base in one.bases)]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_nothing_is_compiled_that_would_then_mean_something_else(module: Path) -> None:
    code = module.read_text()
    assert [] == two_sided_slices(code), "mypyc 2.4 raises SystemError where a slice of bytes ends before it begins"
    assert [] == classes_with_keywords(code), "mypyc 2.4 ignores a class's keywords, such as those of records"


def test_such_code_is_found() -> None:
    assert ["document[a - 1:a]"] == two_sided_slices("x = document[a - 1:a], view[a:b], document[a:]")
    assert ["A", "B"] == classes_with_keywords("class A(Record, frozen=True): ...\nclass B(Struct): ...")


def test_an_installation_knows_whether_it_is_compiled() -> None:
    assert str(routes.__file__).endswith(".py") != is_compiled()
