"""`verify_audit`: whether an audit log is what was written."""

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from modeldyno.errors import UsageError
from modeldyno.records.security import AuditBreak, AuditChain, AuditReport
from modeldyno.server.protection.audit_chain import check_chain
from modeldyno.server.protection.audit_names import by_writer
from modeldyno.server.protection.audit_snapshot import snapshot_of

_HEAD = re.compile("[0-9a-f]{64}")


def verify_audit(files: Sequence[str | PathLike[str]], *, heads: Sequence[str] = ()) -> AuditReport:
    """Follow the chains of hashes through the files of one audit log: one chain for each process of the server.

    Nothing in a chain shows that lines at its end are missing, and nothing in the others that a whole chain is; a head
    that was kept elsewhere does.

    Args:
        files: one file, for it and all that belong to it, rotated ones and those of further processes; or several, in
            any order, for exactly these.
        heads: `AuditChain.head` of earlier checks: those lines must be among the lines of these files.

    Returns:
        What was found; `broken` is the first place that is not as it was written.

    Raises:
        UsageError: no file is given, or what cannot be a head.
        InputError: one cannot be read, or is something else.
    """
    if not files:
        raise UsageError("no audit log is given", hint="dyno audit verify FILE...")
    _check_heads(heads)
    checked = _checked(files, heads)
    chains = tuple(chain for chain, _ in checked)
    missing = [head for head in heads if not any(head in found for _, found in checked)]
    broken = next((chain.broken for chain in chains if chain.broken is not None), None)
    if broken is None and missing:
        why = f"the line with the given head {missing[0]} is not there: it was cut off"
        broken = AuditBreak(file=chains[-1].files[-1], line=0, why=why)
    return AuditReport(
        files=tuple(file for chain in chains for file in chain.files),
        lines=sum(chain.lines for chain in chains),
        requests=sum(chain.requests for chain in chains),
        first=chains[0].first,
        last=chains[0].last,
        head=chains[0].head,
        lost=sum(chain.lost for chain in chains),
        torn=sum(chain.torn for chain in chains),
        is_closed=all(chain.is_closed for chain in chains),
        broken=broken,
        chains=chains,
    )


def _checked(files: Sequence[str | PathLike[str]], heads: Sequence[str]) -> list[tuple[AuditChain, set[str]]]:
    """Each chain, and which of the heads are in it."""
    if len(files) > 1:
        return [check_chain(group, heads) for group in by_writer([Path(file) for file in files])]
    with snapshot_of(Path(files[0])) as log:
        return [check_chain(group, heads, read=log.read) for group in by_writer(log.files)]


def _check_heads(heads: Sequence[str]) -> None:
    """One that was mistyped is in no log, and must not make a whole one look cut off."""
    for head in heads:
        if not _HEAD.fullmatch(head):
            raise UsageError(
                f"{head!r} is no head of an audit log",
                why="a head is 64 hexadecimal digits",
                hint="give the whole of what an earlier dyno audit verify printed as its head",
            )
