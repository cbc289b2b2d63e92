"""`report`: rebuild the page of a stored run or search from its records."""

from os import PathLike
from pathlib import Path

import msgspec
import numpy as np

from modeldyno.api.load.scenarios import judged_scenario
from modeldyno.api.workshop.proof import proof_directory
from modeldyno.errors import InputError
from modeldyno.loadgen.recorder import read_run, read_tokens
from modeldyno.loadgen.watching.observation_file import read_gpus, read_observations
from modeldyno.records.capacity import Capacity
from modeldyno.records.comparison import Comparison
from modeldyno.records.files import read_record, write_atomically
from modeldyno.records.run import Run
from modeldyno.records.search import Search
from modeldyno.reports.markdown import run_markdown, search_markdown
from modeldyno.reports.page.capacity_page import capacity_page
from modeldyno.reports.page.comparison_page import comparison_page
from modeldyno.reports.page.run_page import run_page
from modeldyno.reports.page.search_page import search_page
from modeldyno.reports.terminal.capacity import capacity_text
from modeldyno.reports.terminal.comparison import comparison_text
from modeldyno.reports.terminal.run import run_text
from modeldyno.reports.terminal.search import search_text
from modeldyno.stats.summary import due_rows, summarise

SEARCH, RUN, CAPACITY, COMPARISON = "search.json", "run.json", "capacity.json", "comparison.json"


def report(source: str | PathLike[str], *, out: str | PathLike[str] | None = None) -> Path:
    """Write the offline HTML page of a stored run or search.

    Args:
        source: directory of a run (`*.run`), of a search (`*.tune`) of a search for capacity
            (`*.capacity`) or of a comparison of two targets (`*.compare`).
        out: the file to write; beside the source, with `.html`, when None.

    Returns:
        The file written.

    Raises:
        InputError: the directory holds neither, or a record in it is damaged.
        OutputError: the page cannot be written.
    """
    directory = Path(source)
    destination = Path(out) if out is not None else page_place(directory)
    write_atomically(destination, page_of(directory).encode())
    return destination


def page_place(directory: Path) -> Path:
    """Where the page of `directory` goes; a capacity keeps its suffix, for `NAME.html` is the page of a tuned model."""
    if (directory / CAPACITY).is_file():
        return directory.with_name(f"{directory.name}.html")
    return directory.with_suffix(".html")


def page_of(directory: Path) -> str:
    """The page of what is stored in `directory`."""
    if (directory / CAPACITY).is_file():
        return capacity_page(read_record(directory / CAPACITY, Capacity))
    if (directory / COMPARISON).is_file():
        return comparison_page(read_record(directory / COMPARISON, Comparison))
    if (directory / SEARCH).is_file():
        search = read_record(directory / SEARCH, Search)
        return search_page(
            search,
            proof_requests=proof_requests(directory, search),
            proof_observations=proof_observations(directory, search),
        )
    if (directory / RUN).is_file():
        run, requests = _judged_run(directory)
        return run_page(
            run, requests, read_observations(directory), read_gpus(directory), tokens=read_tokens(directory)
        )
    if not directory.exists():
        raise InputError(f"{directory} does not exist", hint="give the directory of a run or of a search")
    raise InputError(
        f"{directory} holds no run and no search",
        why=f"there is neither {RUN} nor {SEARCH} in it",
        hint="dyno load and dyno tune print the directory they wrote",
    )


def stored_record(directory: Path) -> Run | Search | Capacity | Comparison:
    """The record of what is stored in `directory`."""
    if (directory / CAPACITY).is_file():
        return read_record(directory / CAPACITY, Capacity)
    if (directory / COMPARISON).is_file():
        return read_record(directory / COMPARISON, Comparison)
    if (directory / SEARCH).is_file():
        return read_record(directory / SEARCH, Search)
    return _judged_run(directory)[0]


def _judged_run(directory: Path) -> tuple[Run, np.ndarray]:
    """A run and the raw requests that were due in it; its scenario, if it has one, is judged anew from them.

    A run that was killed left its requests and no summary of them, which is then made here.
    """
    run, requests = read_run(directory)
    if run.state == "interrupted":
        requests = due_rows(requests)
    if run.summary is None and requests["measured"].any():
        summary = summarise(requests, run.requested, run.objectives, tokens=read_tokens(directory))
        run = msgspec.structs.replace(run, summary=summary)
    return judged_scenario(run, requests), requests


def stored_text(directory: Path) -> str:
    """What is stored in `directory`, as text for a terminal."""
    record = stored_record(directory)
    if isinstance(record, Capacity):
        return capacity_text(record)
    if isinstance(record, Comparison):
        return comparison_text(record)
    return search_text(record) if isinstance(record, Search) else run_text(record)


def stored_markdown(directory: Path) -> str:
    """What is stored in `directory`, as Markdown.

    Raises:
        InputError: the directory holds neither a run nor a search, or a record in it is damaged.
    """
    record = stored_record(directory)
    if isinstance(record, Capacity):
        return f"```text\n{capacity_text(record)}\n```\n"
    if isinstance(record, Comparison):
        return f"```text\n{comparison_text(record)}\n```\n"
    return search_markdown(record) if isinstance(record, Search) else run_markdown(record)


def proof_requests(directory: Path, search: Search) -> np.ndarray | None:
    """The raw requests of the winner's proof; None when it was not proven or they are gone."""
    kept = _winning_proof(directory, search)
    return read_run(kept)[1] if kept is not None else None


def proof_observations(directory: Path, search: Search) -> np.ndarray | None:
    """What was seen of the server in the winner's proof; None when it was not proven or nothing was kept."""
    kept = _winning_proof(directory, search)
    return read_observations(kept) if kept is not None else None


def _winning_proof(directory: Path, search: Search) -> Path | None:
    if search.winner is None or not any(f.deployment == search.winner for f in search.finalists):
        return None
    kept = proof_directory(directory, search.winner)
    return kept if (kept / RUN).is_file() else None
