import pytest
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.artifact import ModelFormat
from modeldyno.reports.terminal.model import model_text
from modeldyno.reports.terminal.place import typed


@pytest.mark.parametrize(
    ("path", "entry", "kind", "expected"),
    (
        ("digits.skops", "", "sklearn", "digits.skops"),
        ("old model.pkl", "", "sklearn", "'old model.pkl' --trust"),
        ("net.py", "make", "torch-module", "net.py:make --trust"),
        ("rule.py", "Rule", "python", "rule.py:Rule --trust"),
        ("net.pt2", "", "torch-aoti", "net.pt2 --trust"),
        ("net.onnx", "", "onnx", "net.onnx"),
    ),
)
def test_a_model_is_named_with_all_that_must_be_typed(path: str, entry: str, kind: ModelFormat, expected: str) -> None:
    assert expected == typed(replace(samples.model(), path=path, entry=entry, format=kind))


def test_machine_code_is_asked_for_with_trust_said_once() -> None:
    assert "models/digits.skops --trust" == typed(samples.model(), makes_code=True)
    assert "a.pkl --trust" == typed(replace(samples.model(), path="a.pkl"), makes_code=True)


def test_what_to_type_next_can_be_typed() -> None:
    told = model_text(replace(samples.model(), path="net.py", entry="make", format="torch-module"))
    assert "next       dyno tune net.py:make --trust --data DATA" == told.splitlines()[-1]
