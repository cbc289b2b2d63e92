from pathlib import Path

import msgspec
import pytest

import modeldyno
from modeldyno.cli.main import main
from modeldyno.deployment.bundle import open_bundle
from modeldyno.errors import InputError, UsageError
from modeldyno.records.files import from_json
from modeldyno.records.inspection import Inspection
from modeldyno.reports.terminal.inspection import inspection_text
from modeldyno.testing.bundles import write_echo_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_echo_bundle(tmp_path / "echo.bundle")


def change(bundle: Path, part: str, **fields: object) -> None:
    document = msgspec.json.decode((bundle / "bundle.json").read_bytes())
    (document if part == "bundle" else document[part]).update(fields)
    (bundle / "bundle.json").write_bytes(msgspec.json.encode(document))


def test_what_an_artifact_depends_on_is_told(bundle: Path) -> None:
    change(
        bundle, "artifact", calibration_digest="sha256:12ab", cpu_flags=["avx512_vnni"], computed_in="int8",
        precision="int8",
    )  # fmt: skip
    text = inspection_text(modeldyno.inspect_bundle(bundle))
    assert "artifact   original   int8   computed in int8" in text
    assert "on rows with the digest sha256:12ab" in text
    assert "made for   processors with avx512_vnni" in text


def test_an_artifact_of_an_older_bundle_has_none_of_it(bundle: Path) -> None:
    document = msgspec.json.decode((bundle / "bundle.json").read_bytes())
    for field in ("calibration_digest", "cpu_flags", "computed_in"):
        document["artifact"].pop(field, None)
    (bundle / "bundle.json").write_bytes(msgspec.json.encode(document))
    artifact = open_bundle(bundle).artifact
    assert ("", (), None) == (artifact.calibration_digest, artifact.cpu_flags, artifact.computed_in)
    assert "calibrated" not in inspection_text(modeldyno.inspect_bundle(bundle))


def test_a_processor_that_lacks_something_is_told(bundle: Path) -> None:
    change(bundle, "bundle", build_cpu_flags=["warp9"])
    found = modeldyno.inspect_bundle(bundle)
    assert ("warp9",) == found.flags_lacking
    assert "this processor lacks warp9" in inspection_text(found)


def test_the_command_prints_the_record_of_a_bundle(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["inspect", str(bundle), "--json"])
    assert modeldyno.inspect_bundle(bundle) == from_json(capsys.readouterr().out.encode(), Inspection, "stdout")
    assert 0 == main(["inspect", str(bundle)])
    assert "nothing: it was made without a search" in capsys.readouterr().out


def test_a_damaged_bundle_is_refused(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"other")
    with pytest.raises(InputError, match="is not the file that was bundled"):
        modeldyno.inspect_bundle(bundle)


def test_a_pipeline_is_inspected_model_by_model(tmp_path: Path) -> None:
    (tmp_path / "pipeline.json").write_text("{}")
    with pytest.raises(UsageError, match="is a pipeline of several models"):
        modeldyno.inspect_bundle(tmp_path)
