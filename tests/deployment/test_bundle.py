import errno
import shutil
from pathlib import Path

import msgspec
import pytest

from modeldyno.deployment.bundle import (
    MANIFEST,
    open_bundle,
    read_datasheet,
    refuse_existing,
    write_bundle,
)
from modeldyno.deployment.contents import Contents
from modeldyno.errors import InputError, OutputError
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.bundle import Bundle, Sample, Samples
from modeldyno.records.deployment import Deployment
from modeldyno.records.files import write_record
from modeldyno.records.signature import Signature, TensorSpec

SIGNATURE = Signature(
    inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", 2)),),
    outputs=(TensorSpec(name="value", datatype="FP32", shape=("batch",)),),
)
SAMPLES = Samples(
    samples=(Sample(inputs={"input": [[1.0, 2.0]]}, outputs={"value": [3.0]}),),
    relative_tolerance=1e-3,
    absolute_tolerance=1e-4,
)


def bundle() -> Bundle:
    model = Model(
        name="sum", path="sum.onnx", format="onnx", description="ONNX", task="regression", classes=(),
        signature=SIGNATURE, precision="fp32", size_bytes=3, digest="sha256:0", parameters=0, made_with="a test",
    )  # fmt: skip
    artifact = Artifact(
        name="original", path="model.onnx", format="onnx", precision="fp32", recipe="as it came", digest="sha256:0",
        size_bytes=3, parent_digest=None, signature=SIGNATURE,
    )  # fmt: skip
    return Bundle(
        tool_version="0", created_at="2026-01-01T00:00:00+00:00", name="sum", task="regression", signature=SIGNATURE,
        deployment=Deployment(artifact="original", runtime="onnxruntime"), artifact=artifact, origin=model, files={},
        build_cpu_flags=(),
    )  # fmt: skip


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "any.onnx"
    path.write_bytes(b"abc")
    return path


@pytest.fixture
def written(tmp_path: Path, artifact: Path) -> Path:
    write_bundle(tmp_path / "sum.bundle", bundle(), artifact=artifact, samples=SAMPLES, datasheet=None)
    return tmp_path / "sum.bundle"


def test_a_bundle_comes_back_as_it_was_written(written: Path) -> None:
    opened = open_bundle(written)
    assert bundle().deployment == opened.deployment
    assert {"model.onnx", "samples.json"} == set(opened.files)
    assert SAMPLES == Contents(written, opened).samples()
    assert read_datasheet(written) is None


def test_nothing_in_a_bundle_is_a_pickle(written: Path) -> None:
    assert {".json", ".onnx"} == {path.suffix for path in written.iterdir()}


def test_a_bundle_is_never_overwritten_without_being_asked(written: Path, artifact: Path) -> None:
    before = (written / MANIFEST).read_bytes()
    with pytest.raises(OutputError, match="already holds a bundle") as caught:
        write_bundle(written, bundle(), artifact=artifact, samples=SAMPLES, datasheet=None)
    assert "--force" in caught.value.hint
    assert before == (written / MANIFEST).read_bytes()


def test_force_replaces_a_bundle_whole(written: Path, artifact: Path) -> None:
    (written / "stale").write_text("")
    artifact.write_bytes(b"new")
    write_bundle(written, bundle(), artifact=artifact, samples=SAMPLES, datasheet=None, force=True)
    assert b"new" == (written / "model.onnx").read_bytes()
    assert not (written / "stale").exists()


def test_a_directory_that_is_no_bundle_is_not_deleted_even_with_force(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(OutputError, match="is not a bundle"):
        refuse_existing(tmp_path / "photos", force=True)


def test_a_full_disk_leaves_neither_half_a_bundle_nor_rubbish(
    tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(OutputError, match="no space left"):
        write_bundle(tmp_path / "sum.bundle", bundle(), artifact=artifact, samples=SAMPLES, datasheet=None)
    assert ["any.onnx"] == [entry.name for entry in tmp_path.iterdir()]


def test_a_changed_artifact_is_noticed(written: Path) -> None:
    (written / "model.onnx").write_bytes(b"abd")
    with pytest.raises(InputError, match="is not the file that was bundled"):
        open_bundle(written)


def test_a_missing_file_is_named(written: Path) -> None:
    (written / "samples.json").unlink()
    with pytest.raises(InputError, match=r"samples\.json is missing"):
        open_bundle(written)


def test_a_manifest_cannot_name_files_outside_the_bundle(written: Path) -> None:
    text = (written / MANIFEST).read_text().replace('"samples.json"', '"../samples.json"')
    (written / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="outside the bundle"):
        open_bundle(written)


def test_what_is_no_bundle_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError) as caught:
            open_bundle(path)
        assert "dyno tune" in caught.value.hint


@pytest.fixture
def spread(tmp_path: Path) -> Path:
    """A bundle whose artifact is several files, one of them in a folder of its own."""
    source = tmp_path / "net"
    (source / "weights").mkdir(parents=True)
    (source / "net.xml").write_bytes(b"graph")
    (source / "weights" / "net.bin").write_bytes(b"numbers")
    one = bundle()
    artifact = msgspec.structs.replace(one.artifact, path="artifact/net.xml", files=("weights/net.bin",))
    write_bundle(
        tmp_path / "net.bundle",
        msgspec.structs.replace(one, artifact=artifact),
        artifact=source / "net.xml",
        samples=SAMPLES,
        datasheet=None,
    )
    return tmp_path / "net.bundle"


def test_an_artifact_of_several_files_is_bundled_whole(spread: Path) -> None:
    opened = open_bundle(spread)
    assert {"artifact/net.xml", "artifact/weights/net.bin", "samples.json"} == set(opened.files)
    with Contents(spread, opened) as contents:
        assert b"numbers" == (contents.artifact().parent / "weights" / "net.bin").read_bytes()


def test_an_artifact_of_several_files_is_whole_in_memory_too(spread: Path) -> None:
    opened = open_bundle(spread)
    with Contents(spread, opened, in_memory=True) as contents:
        main = contents.artifact()
        (spread / "artifact" / "weights" / "net.bin").write_bytes(b"others")
        assert (b"graph", b"numbers") == (main.read_bytes(), (main.parent / "weights" / "net.bin").read_bytes())
        with pytest.raises(InputError, match=r"net\.bin is not the file that was bundled"):
            contents.artifact()


def test_a_further_file_that_was_changed_or_is_not_listed_is_refused(spread: Path) -> None:
    opened = open_bundle(spread)
    with Contents(spread, opened) as contents:
        contents.check_artifact()
        (spread / "artifact" / "weights" / "net.bin").write_bytes(b"others")
        with pytest.raises(InputError, match="not the file that is served"):
            contents.check_artifact()
    with pytest.raises(InputError, match="not the file that was bundled"):
        open_bundle(spread)
    files = {name: digest for name, digest in opened.files.items() if not name.endswith(".bin")}
    write_record(spread / MANIFEST, msgspec.structs.replace(opened, files=files))
    with pytest.raises(InputError, match=r"does not list its own artifact 'artifact/weights/net\.bin'"):
        open_bundle(spread)


@pytest.mark.parametrize("name", ("../model.onnx", "/model.onnx", "a/../model.onnx", "./model.onnx", "a//b", "", "."))
def test_a_file_outside_the_bundle_is_not_looked_at(written: Path, name: str) -> None:
    opened = open_bundle(written)
    write_record(written / MANIFEST, msgspec.structs.replace(opened, files={**opened.files, name: "sha256:0"}))
    with pytest.raises(InputError, match="names a file outside the bundle"):
        open_bundle(written)
