"""Bundles on disk as what a server opens."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from modeldyno.api.served.opened import Terms
from modeldyno.api.served.repository import Repository
from modeldyno.api.served.sessions import reopen_session
from modeldyno.deployment.bundle import MANIFEST, digests_in, open_bundle
from modeldyno.deployment.contents import Contents
from modeldyno.errors import DynoError, InputError, TrustError, UsageError
from modeldyno.policies.versions import parse_versions
from modeldyno.records.bundle import Bundle
from modeldyno.records.deployment import BatchingChanges
from modeldyno.records.files import read_record, write_record
from modeldyno.server.models.service import ServedModel
from modeldyno.server.repository.model_source import OpenedModel
from modeldyno.testing.bundles import write_echo_bundle
from modeldyno.testing.models import write_scaled_onnx


def repository(*bundles: Path, directory: Path | None = None, versions: str = "latest:1") -> Repository:
    return Repository(bundles, directory, choice=parse_versions(versions), terms=Terms())


def answers(opened: Sequence[OpenedModel]) -> dict[str, float]:
    """What each version makes of 1; all are closed."""
    found = {}
    for one in opened:
        served = one.served
        assert isinstance(served, ServedModel)
        (session,) = served.sessions
        found[f"{served.name} {served.version}"] = float(session.run({"x": np.ones((1, 2), np.float32)})["y"][0, 0])
        one.close()
    return found


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A repository with three versions of one model, one of another, and what is none."""
    directory = tmp_path / "models"
    for number in (1, 2, 10):
        write_echo_bundle(directory / "scale" / str(number), name="whatever", factor=number)
    write_echo_bundle(directory / "plain", factor=5)
    (directory / "empty").mkdir()
    (directory / "scale" / "draft").mkdir()
    (directory / "scale" / "03").mkdir()
    (directory / ".hidden" / "1").mkdir(parents=True)
    (directory / "README").write_text("not a model")
    return directory


def test_folders_name_the_models_and_their_versions(models: Path) -> None:
    found = repository(directory=models)
    assert ["empty", "plain", "scale"] == found.names()
    assert ["1", "2", "10"] == found.versions("scale")
    assert ["1"] == found.versions("plain")
    assert [] == found.versions("empty")
    assert [] == found.versions("nothing")


@pytest.mark.parametrize(
    ("versions", "expected"),
    (
        ("latest:1", {"scale 10": 10.0}),
        ("latest:2", {"scale 2": 2.0, "scale 10": 10.0}),
        ("all", {"scale 1": 1.0, "scale 2": 2.0, "scale 10": 10.0}),
        ("1,2,99", {"scale 1": 1.0, "scale 2": 2.0}),
    ),
)
def test_the_versions_that_are_to_be_served_are_opened(models: Path, versions: str, expected: dict[str, float]) -> None:
    assert expected == answers(repository(directory=models, versions=versions).open("scale"))


def test_a_bundle_in_the_folder_of_the_name_is_version_1(models: Path) -> None:
    assert {"plain 1": 5.0} == answers(repository(directory=models).open("plain"))


@pytest.mark.parametrize(
    ("name", "words"), (("empty", ("holds no bundle", "NAME/VERSION")), ("nothing", ("'nothing'", "plain, scale")))
)
def test_what_is_not_there_cannot_be_opened(models: Path, name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        repository(directory=models).open(name)
    assert [] == [word for word in words if word not in f"{caught.value.what} {caught.value.why}"]


@pytest.mark.parametrize("name", ("..", ".", "", "../models/scale", "scale/1", ".hidden", "/etc", "README"))
def test_a_name_that_leads_elsewhere_is_no_model(models: Path, name: str) -> None:
    found = repository(directory=models, versions="all")
    assert [] == found.versions(name)
    with pytest.raises(InputError, match="unknown model"):
        found.open(name)


def test_a_model_without_one_of_the_versions_that_were_asked_for_says_which_it_has(models: Path) -> None:
    with pytest.raises(InputError, match="7,8") as caught:
        repository(directory=models, versions="7,8").open("scale")
    assert "there are 1, 2, 10" == caught.value.why


def test_what_is_added_later_is_found(models: Path) -> None:
    found = repository(directory=models)
    write_echo_bundle(models / "scale" / "11", factor=11)
    write_echo_bundle(models / "new" / "1", factor=3)
    assert {"scale 11": 11.0} == answers(found.open("scale"))
    assert {"new 1": 3.0} == answers(found.open("new"))


def test_a_repository_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent"):
        repository(directory=tmp_path / "absent")


def test_single_bundles_are_served_under_their_own_names_and_versions(tmp_path: Path) -> None:
    found = repository(
        write_echo_bundle(tmp_path / "a", name="one", factor=2),
        write_echo_bundle(tmp_path / "b", name="two", version="7", factor=3),
        write_echo_bundle(tmp_path / "c", name="two", version="8", factor=4),
    )
    assert ["one", "two"] == found.names()
    assert {"one 1": 2.0} == answers(found.open("one"))
    assert {"two 7": 3.0, "two 8": 4.0} == answers(found.open("two"))
    assert [("one", "1"), ("two", "7"), ("two", "8")] == [(one.name, one.version) for one in found.offers()]


def test_the_same_name_and_version_twice_is_refused_with_both_places(tmp_path: Path) -> None:
    one, other = write_echo_bundle(tmp_path / "a"), write_echo_bundle(tmp_path / "b")
    with pytest.raises(UsageError, match="'echo' would be served twice") as caught:
        repository(one, other)
    assert str(one) in caught.value.what
    assert str(other) in caught.value.what
    with pytest.raises(UsageError, match="twice"):
        repository(one, one)


def test_a_single_bundle_and_a_model_of_the_repository_may_not_share_a_name(models: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="twice"):
        repository(write_echo_bundle(tmp_path / "b", name="scale"), directory=models)


def test_a_single_bundle_that_was_made_anew_is_opened_as_it_is_now(tmp_path: Path) -> None:
    found = repository(write_echo_bundle(tmp_path / "a", factor=2))
    write_echo_bundle(tmp_path / "a", version="2", factor=3, force=True)
    assert {"echo 2": 3.0} == answers(found.open("echo"))
    assert ["2"] == found.versions("echo")
    write_echo_bundle(tmp_path / "a", name="other", force=True)
    with pytest.raises(InputError, match="holds the model 'other' now"):
        found.open("echo")


def test_a_single_bundle_whose_place_is_empty_now_cannot_be_opened(tmp_path: Path) -> None:
    found = repository(write_echo_bundle(tmp_path / "a"))
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(InputError, match="does not exist"):
        found.open("echo")
    assert ["echo"] == found.names()


@pytest.mark.parametrize("content", (None, "{", "{}"))
def test_what_is_no_bundle_is_refused_at_once(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "a").mkdir()
    if content is not None:
        (tmp_path / "a" / MANIFEST).write_text(content)
    with pytest.raises(InputError):
        repository(tmp_path / "a")


def test_a_damaged_bundle_cannot_be_opened_and_nothing_stays_open(models: Path) -> None:
    path = models / "scale" / "10" / "model.onnx"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match="not the file that was bundled"):
        repository(directory=models, versions="all").open("scale")
    assert {"scale 1": 1.0} == answers(repository(directory=models, versions="1").open("scale"))


def replace_artifact(directory: Path, factor: float) -> None:
    """Another model under the same samples, with digests that are right."""
    write_scaled_onnx(directory / "model.onnx", factor)
    manifest = read_record(directory / MANIFEST, Bundle)
    write_record(directory / MANIFEST, msgspec.structs.replace(manifest, files=digests_in(directory)))


def test_a_bundle_whose_samples_have_other_answers_cannot_be_opened(models: Path) -> None:
    replace_artifact(models / "scale" / "10", 11)
    with pytest.raises(InputError, match="sample 0 is not what it was"):
        repository(directory=models).open("scale")


def test_terms_hold_for_each_bundle(models: Path) -> None:
    def vouch(directory: Path, content: bytes) -> None:
        raise TrustError(f"{directory} is not signed")

    strict = Repository((), models, choice=parse_versions("all"), terms=Terms(vouch=vouch))
    for name in ("scale", "plain"):
        with pytest.raises(TrustError, match="not signed"):
            strict.open(name)
    changes = BatchingChanges(max_queued_rows=7)
    changed = Repository((), models, choice=parse_versions("all"), terms=Terms(changes=changes))
    opened = changed.open("scale")
    assert [7, 7, 7] == [one.served.deployment.max_queued_rows for one in opened if isinstance(one.served, ServedModel)]
    for one in opened:
        one.close()


def test_a_session_in_place_of_one_that_hangs_is_never_of_another_file(models: Path) -> None:
    place = models / "scale" / "10"
    bundle = open_bundle(place)
    with Contents(place, bundle) as contents:
        reopen_session(bundle, contents).close()
        shutil.copyfile(models / "scale" / "2" / "model.onnx", place / "model.onnx")
        with pytest.raises(InputError, match="not the file that is served"):
            reopen_session(bundle, contents)


def test_a_repository_that_vanishes_says_so(models: Path) -> None:
    found = repository(directory=models)
    shutil.rmtree(models)
    with pytest.raises(DynoError, match="cannot read"):
        found.names()
