"""The threat model names the tests that cover it; a renamed test must not leave a threat uncovered."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "security.md"


def test_every_threat_names_tests_that_exist() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`((?:tests/\S+\.py)?(?:::\w+)?)`", row.rsplit("|", 2)[1])
        assert named, row
        source = ""
        for name in named:
            path, _, test = name.partition("::")
            source = (ROOT / path).read_text() if path else source
            assert f"def {test}(" in source if test else source, name
