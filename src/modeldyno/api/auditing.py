"""`verify_audit`: whether an audit log is what was written."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import msgspec

from modeldyno.errors import UsageError
from modeldyno.records.security import AuditBreak, AuditReport
from modeldyno.server.audit_chain import check_chain


def verify_audit(files: Sequence[str | PathLike[str]], *, head: str | None = None) -> AuditReport:
    """Follow the chain of hashes through the files of one audit log.

    Nothing in the chain shows that lines at its end are missing; a `head` that was kept elsewhere does.

    Args:
        files: of the log, in any order.
        head: `AuditReport.head` of an earlier check: that line must be among those of these files.

    Returns:
        What was found; `broken` is the first place that is not as it was written.

    Raises:
        UsageError: no file is given.
        InputError: one cannot be read, or is something else.
    """
    if not files:
        raise UsageError("no audit log is given", hint="dyno audit verify FILE...")
    report, has_head = check_chain([Path(file) for file in files], head=head)
    if report.broken is None and not has_head:
        last = AuditBreak(
            file=report.files[-1], line=0, why="the line with the given head is not there: it was cut off"
        )
        return msgspec.structs.replace(report, broken=last)
    return report
