"""What can be put under load by name: a server that runs already, or a bundle that is served for the while."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from modeldyno.api.load.questions.ask import Ask, Questions
from modeldyno.api.load.questions.table import questions_for
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.clock import Clock
from modeldyno.deployment.bundle import MANIFEST, open_bundle
from modeldyno.records.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Target:
    """A running server, ready to be loaded."""

    source: str
    """As the user gave it."""
    url: str
    questions: Questions
    pids: tuple[int, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is known of what it serves, by name; nothing of a server that is not ours."""


def is_url(source: str) -> bool:
    """Whether it names a server and not a directory."""
    return "://" in source


def is_bundle(source: str) -> bool:
    """Whether it is a directory with a bundle."""
    return (Path(source) / MANIFEST).is_file()


@contextmanager
def running_target(source: str, *, ask: Ask, log: Path, clock: Clock) -> Iterator[Target]:
    """The server at a URL, or a bundle served on a free port until the end of the block.

    Args:
        source: base URL or directory of a bundle.
        ask: what is going to be asked; a bundle knows its protocol and the name of its model itself.
        log: where what a served bundle says goes.
        clock: for the limit on its start.

    Raises:
        TargetError: the server cannot be reached or does not offer the model.
        InputError: not a bundle, or damaged.
        ToolError: the bundle's server did not start, with its own first line as the reason.
    """
    if is_url(source):
        yield Target(source=source, url=source, questions=questions_for(source, ask))
        return
    bundle = open_bundle(Path(source))
    words = ["serve", source, "--port", "0", "--server-timing", "--json"]
    with ServerProcess("modeldyno", words, log=log, clock=clock) as server:
        url = json.loads(server.first_line)["url"]
        yield Target(
            source=source,
            url=url,
            questions=questions_for(url, replace(ask, model=bundle.name)),
            pids=(server.pid,),
            facts=_facts(bundle),
        )


def _facts(bundle: Bundle) -> dict[str, str]:
    return {
        "deployment": bundle.deployment.label,
        "artifact": f"{bundle.artifact.name} {bundle.artifact.digest[:19]}",
        "precision": bundle.artifact.precision,
        "recipe": bundle.artifact.recipe,
        "made_by": f"modeldyno {bundle.tool_version}",
    }
