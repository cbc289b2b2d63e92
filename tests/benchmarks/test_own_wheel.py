from pathlib import Path

import pytest
from own_wheel import digest_wheel

MADE_OF = (
    "src/modeldyno/__init__.py", "src/modeldyno/server/routes.py", "pyproject.toml", "hatch_build.py", "locks/run.lock",
)  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in MADE_OF:
        write(tmp_path / name, "1")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize("name", MADE_OF)
def test_a_change_of_what_the_wheel_is_made_of_asks_for_another(tree: Path, name: str) -> None:
    before = digest_wheel(tree)
    write(tree / name, "2")

    assert before != digest_wheel(tree)


def test_a_module_that_comes_goes_or_moves_asks_for_another(tree: Path) -> None:
    digests = [digest_wheel(tree)]
    write(tree / "src/modeldyno/server/tally.py", "1")
    digests.append(digest_wheel(tree))
    (tree / "src/modeldyno/server/tally.py").rename(tree / "src/modeldyno/tally.py")
    digests.append(digest_wheel(tree))
    (tree / "src/modeldyno/tally.py").unlink()

    assert 3 == len(set(digests))
    assert digests[0] == digest_wheel(tree)


@pytest.mark.parametrize(
    "name",
    (
        "README.md", "tests/test_routes.py", "benchmarks/turns.py", "locks/dev.lock",
        "src/modeldyno/server/__pycache__/routes.cpython-311.pyc",
    ),
)  # fmt: skip
def test_what_is_not_in_the_wheel_asks_for_no_other(tree: Path, name: str) -> None:
    before = digest_wheel(tree)
    write(tree / name, "1")

    assert before == digest_wheel(tree)


def test_files_written_again_as_they_were_ask_for_no_other(tree: Path) -> None:
    before = digest_wheel(tree)
    for name in reversed(MADE_OF):
        write(tree / name, "1")

    assert before == digest_wheel(tree)
