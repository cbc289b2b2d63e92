from pathlib import Path

import pytest
from environments import NotInstallableError, last_words, make_once


def test_an_environment_is_made_again_only_when_what_it_is_made_of_changed(tmp_path: Path) -> None:
    environment = tmp_path / "theirs"
    made: list[str] = []

    def need(made_of: str) -> None:
        def make() -> None:
            environment.mkdir(exist_ok=True)
            made.append(made_of)

        make_once(environment, made_of, make)

    for made_of in ("numpy==1", "numpy==1", "numpy==2", "numpy==2", "numpy==1"):
        need(made_of)

    assert ["numpy==1", "numpy==2", "numpy==1"] == made


def test_an_environment_that_was_not_made_whole_is_made_again(tmp_path: Path) -> None:
    tries = []

    def make() -> None:
        tries.append(1)
        raise NotInstallableError("no network")

    for _ in range(2):
        with pytest.raises(NotInstallableError):
            make_once(tmp_path, "numpy==1", make)

    assert [1, 1] == tries


_FAILED_BUILD = """\
  error: subprocess-exited-with-error
  ╰─> [28 lines of output]
      building the extension
      error: command 'cc' failed: No such file or directory
      Traceback (most recent call last):
        File "build.py", line 45, in initialize
      subprocess.CalledProcessError: Command 'mypyc' returned non-zero exit status 1.
      [end of output]

hint: See above for details.
"""
_FAILED_HOOK = """\
  ╰─> [2 lines of output]
      Traceback (most recent call last):
      ModuleNotFoundError: No module named 'mypyc'
      [end of output]
hint: See above for details.
"""


@pytest.mark.parametrize(
    ("said", "last"),
    (
        ("", ""),
        ("Collecting numpy\nERROR: No matching distribution found\n", "ERROR: No matching distribution found"),
        (_FAILED_BUILD, "error: command 'cc' failed: No such file or directory"),
        (_FAILED_HOOK, "ModuleNotFoundError: No module named 'mypyc'"),
    ),
)
def test_the_last_words_tell_why(said: str, last: str) -> None:
    assert last == last_words(said)
