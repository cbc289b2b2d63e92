import logging
import pickle
import traceback

import msgspec
import pytest

from modeldyno.records.security import Key, NewKey
from modeldyno.secret import Secret

TEXT = "correct horse battery staple"
SECRET = Secret(TEXT.encode())


def test_a_secret_shows_itself_only_when_asked() -> None:
    assert TEXT.encode() == SECRET.reveal()
    assert TEXT not in f"{SECRET} {SECRET!r} {[SECRET]} %s" % SECRET


def test_a_secret_is_in_no_log_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    problem = ValueError("bad key", SECRET)
    logging.getLogger("any").error("with %s", SECRET, exc_info=problem)
    assert TEXT not in "".join(traceback.format_exception(problem))
    assert TEXT not in caplog.text
    assert "hidden" in caplog.text


def test_a_secret_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(SECRET)


def test_secrets_are_compared_by_value_and_are_no_keys_of_dictionaries() -> None:
    assert Secret(TEXT.encode()) == SECRET
    assert Secret(b"other") != SECRET
    with pytest.raises(TypeError):
        hash(SECRET)


def test_a_new_key_hides_its_secret_from_everything_but_json() -> None:
    made = NewKey(key=Key(id="a", name="ci", scopes=(), created_at=""), secret=TEXT)
    assert TEXT not in repr(made)
    assert TEXT.encode() in msgspec.json.encode(made)
