"""`verify_audit`: whether an audit log is what was written."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from modeldyno.errors import UsageError
from modeldyno.records.security import AuditBreak, AuditReport
from modeldyno.server.protection.audit_chain import check_chain
from modeldyno.server.protection.audit_names import by_writer, files_of


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
        UsageError: no file is given.
        InputError: one cannot be read, or is something else.
    """
    if not files:
        raise UsageError("no audit log is given", hint="dyno audit verify FILE...")
    paths = files_of(Path(files[0])) if len(files) == 1 else [Path(file) for file in files]
    checked = [check_chain(group, heads) for group in by_writer(paths)]
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
