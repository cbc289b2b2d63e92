"""`report`: rebuild the page of a stored run or search from its records."""

from os import PathLike
from pathlib import Path

import numpy as np

from modeldyno.api.proof import proof_directory
from modeldyno.errors import InputError
from modeldyno.loadgen.recorder import read_run
from modeldyno.records.files import read_record, write_atomically
from modeldyno.records.run import Run
from modeldyno.records.search import Search
from modeldyno.reports.page.page import run_page, search_page
from modeldyno.reports.terminal.run import run_text
from modeldyno.reports.terminal.search import search_text

SEARCH, RUN = "search.json", "run.json"


def report(source: str | PathLike[str], *, out: str | PathLike[str] | None = None) -> Path:
    """Write the offline HTML page of a stored run or search.

    Args:
        source: directory of a run (`*.run`) or of a search (`*.tune`).
        out: the file to write; beside the source, with `.html`, when None.

    Returns:
        The file written.

    Raises:
        InputError: the directory holds neither, or a record in it is damaged.
        OutputError: the page cannot be written.
    """
    directory = Path(source)
    destination = Path(out) if out is not None else directory.with_suffix(".html")
    write_atomically(destination, page_of(directory).encode())
    return destination


def page_of(directory: Path) -> str:
    """The page of what is stored in `directory`."""
    if (directory / SEARCH).is_file():
        search = read_record(directory / SEARCH, Search)
        return search_page(search, proof_requests=proof_requests(directory, search))
    if (directory / RUN).is_file():
        run, requests = read_run(directory)
        return run_page(run, requests)
    if not directory.exists():
        raise InputError(f"{directory} does not exist", hint="give the directory of a run or of a search")
    raise InputError(
        f"{directory} holds no run and no search",
        why=f"there is neither {RUN} nor {SEARCH} in it",
        hint="dyno load and dyno tune print the directory they wrote",
    )


def stored_record(directory: Path) -> Run | Search:
    """The record of what is stored in `directory`."""
    if (directory / SEARCH).is_file():
        return read_record(directory / SEARCH, Search)
    return read_run(directory)[0]


def stored_text(directory: Path) -> str:
    """What is stored in `directory`, as text for a terminal."""
    record = stored_record(directory)
    return search_text(record) if isinstance(record, Search) else run_text(record)


def proof_requests(directory: Path, search: Search) -> np.ndarray | None:
    """The raw requests of the winner's proof; None when it was not proven or they are gone."""
    if search.winner is None or not any(f.deployment == search.winner for f in search.finalists):
        return None
    kept = proof_directory(directory, search.winner)
    return read_run(kept)[1] if (kept / RUN).is_file() else None
