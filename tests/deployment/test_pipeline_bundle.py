import shutil
from pathlib import Path

import msgspec
import pytest

from modeldyno.api.combined.graph import JoinRule
from modeldyno.api.combining import combine
from modeldyno.api.sealing import seal
from modeldyno.api.served.opened import Terms
from modeldyno.api.served.pipelines import open_pipeline_session, open_served_pipeline
from modeldyno.api.served.repository import open_served
from modeldyno.deployment.bundle import MANIFEST, PIPELINE, SAMPLES
from modeldyno.deployment.pipeline_bundle import member_directory, open_pipeline
from modeldyno.deployment.signing import vouch_of
from modeldyno.errors import InputError, OutputError, TrustError, UsageError
from modeldyno.records.deployment import BatchingChanges
from modeldyno.records.files import digest_file, read_record, write_record
from modeldyno.records.pipeline import Ensemble, Pipeline
from modeldyno.records.processing import Processing
from modeldyno.secret import Secret
from modeldyno.server.pipelines.service import ServedPipeline
from modeldyno.testing.bundles import write_echo_bundle

from .test_sealing import new_author

AVERAGE = JoinRule(average="y")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return [
        write_echo_bundle(folder / f"{name}.bundle", name=name, factor=factor)
        for name, factor in (("one", 1), ("three", 3))
    ]


@pytest.fixture
def pipeline(bundles: list[Path], tmp_path: Path) -> Path:
    combine("ensemble", bundles, out=tmp_path / "both.pipeline", rule=AVERAGE)
    return tmp_path / "both.pipeline"


def test_a_pipeline_is_what_was_combined(pipeline: Path) -> None:
    opened = open_pipeline(pipeline)
    assert ("both", "ensemble") == (opened.name, opened.kind)
    assert isinstance(opened.graph, Ensemble)
    expected = {SAMPLES} | {
        f"members/{name}/{file}" for name in ("one", "three") for file in (MANIFEST, SAMPLES, "model.onnx")
    }
    assert expected == set(opened.files)
    session = open_pipeline_session(pipeline, opened)
    import numpy as np

    assert [[2, 4]] == session.run({"x": np.array([[1, 2]], np.float32)})["y"].tolist()
    session.close()


@pytest.mark.parametrize("name", ("members/one/model.onnx", "members/three/bundle.json", SAMPLES))
def test_a_changed_file_is_found_and_named(pipeline: Path, name: str) -> None:
    path = pipeline / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match="is not the file that was combined") as caught:
        open_pipeline(pipeline)
    assert str(path) in caught.value.what


def test_a_missing_file_is_named(pipeline: Path) -> None:
    (pipeline / SAMPLES).unlink()
    with pytest.raises(InputError, match=r"samples\.json is missing"):
        open_pipeline(pipeline)


@pytest.mark.parametrize("name", ("../outside", "/etc/hostname", "members/../../outside"))
def test_a_manifest_names_no_file_outside(pipeline: Path, name: str) -> None:
    manifest = read_record(pipeline / PIPELINE, Pipeline)
    write_record(pipeline / PIPELINE, msgspec.structs.replace(manifest, files={**manifest.files, name: "sha256:0"}))
    with pytest.raises(InputError, match="outside the pipeline"):
        open_pipeline(pipeline)


def test_every_member_has_to_be_listed(pipeline: Path) -> None:
    manifest = read_record(pipeline / PIPELINE, Pipeline)
    files = {name: digest for name, digest in manifest.files.items() if not name.startswith("members/one/")}
    write_record(pipeline / PIPELINE, msgspec.structs.replace(manifest, files=files))
    with pytest.raises(InputError, match=r"does not list 'members/one/bundle\.json'"):
        open_pipeline(pipeline)


def test_a_pipeline_without_a_model_is_none(pipeline: Path) -> None:
    manifest = read_record(pipeline / PIPELINE, Pipeline)
    write_record(pipeline / PIPELINE, msgspec.structs.replace(manifest, graph=Processing(operations=())))
    with pytest.raises(InputError, match="names no model"):
        open_pipeline(pipeline)


def test_a_pipeline_is_not_overwritten_without_being_asked(pipeline: Path, bundles: list[Path]) -> None:
    before = (pipeline / PIPELINE).read_bytes()
    with pytest.raises(OutputError, match="already holds a bundle"):
        combine("ensemble", bundles, out=pipeline, rule=AVERAGE)
    assert before == (pipeline / PIPELINE).read_bytes()
    combine("ensemble", bundles, out=pipeline, rule=JoinRule(average="y", weights=(1, 3)), force=True)
    assert before != (pipeline / PIPELINE).read_bytes()


def test_what_cannot_be_combined_leaves_nothing_behind(bundles: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        combine("ensemble", bundles, out=tmp_path / "none.pipeline", rule=JoinRule(vote="y"))
    assert [] == list(tmp_path.iterdir())


def test_an_encrypted_member_is_refused(bundles: list[Path], tmp_path: Path) -> None:
    seal(bundles[0], out=tmp_path / "sealed.bundle", bundle_key=Secret(bytes(32)))
    with pytest.raises(InputError, match="is encrypted"):
        combine("ensemble", [tmp_path / "sealed.bundle", bundles[1]], out=tmp_path / "p", rule=AVERAGE)


def test_a_signature_of_the_whole_covers_its_members(pipeline: Path, tmp_path: Path) -> None:
    author = new_author(tmp_path)
    seal(pipeline, out=tmp_path / "signed.pipeline", signing_key=author / "KEY.pem")
    terms = Terms(vouch=vouch_of(author / "PUBLIC.pem"))
    opened = open_served(tmp_path / "signed.pipeline", terms=terms)
    assert isinstance(opened.served, ServedPipeline)
    opened.close()
    with pytest.raises(TrustError, match="is not signed"):
        open_served(pipeline, terms=terms)


def test_a_member_put_there_after_the_check_is_not_loaded(pipeline: Path, tmp_path: Path) -> None:
    from modeldyno.deployment.bundle import open_bundle
    from modeldyno.deployment.pipeline_bundle import vouch_of_member

    opened = open_pipeline(pipeline)
    place = member_directory(pipeline, "one")
    shutil.rmtree(place)
    shutil.copytree(member_directory(pipeline, "three"), place)  # a sound bundle, but another
    with pytest.raises(TrustError, match="not the bundle that was combined"):
        open_bundle(place, vouch=vouch_of_member(opened, "one"))


def test_a_pipeline_can_be_signed_but_not_encrypted(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be encrypted"):
        seal(pipeline, out=tmp_path / "sealed", bundle_key=Secret(bytes(32)))


def test_members_that_answer_otherwise_here_are_not_served(pipeline: Path) -> None:
    samples = pipeline / SAMPLES
    samples.write_text(samples.read_text().replace("4.0", "5.0"))
    manifest = read_record(pipeline / PIPELINE, Pipeline)
    files = {**manifest.files, SAMPLES: digest_file(samples)}
    write_record(pipeline / PIPELINE, msgspec.structs.replace(manifest, files=files))
    with pytest.raises(InputError, match="is not what it was"):
        open_served_pipeline(pipeline, terms=Terms())


def test_changes_go_to_the_members_and_a_time_limit_to_the_whole(pipeline: Path) -> None:
    opened = open_served(pipeline, terms=Terms(changes=BatchingChanges(timeout_ns=5, max_queued_rows=7)))
    assert isinstance(opened.served, ServedPipeline)
    assert 5 == opened.served.timeout_ns
    assert [(None, 7)] * 2 == [
        (one.deployment.timeout_ns, one.deployment.max_queued_rows) for one in opened.served.members.values()
    ]
    opened.close()
