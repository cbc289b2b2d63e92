"""The tables of threats and faults name the tests that cover them; a renamed test must not leave one uncovered."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("page", ("security.md", "faults.md", "known-defects.md"))
def test_every_threat_and_fault_names_tests_that_exist(page: str) -> None:
    text = (ROOT / "docs" / "explanation" / page).read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`((?:tests/\S+\.py)?(?:::\w+)?)`", row.rsplit("|", 2)[1])
        assert named, row
        source = ""
        for name in named:
            path, _, test = name.partition("::")
            source = (ROOT / path).read_text() if path else source
            assert f"def {test}(" in source if test else source, name
