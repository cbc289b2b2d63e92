"""The check of an audit log in words."""

from modeldyno.records.security import AuditReport


def format_audit(report: AuditReport) -> str:
    """The verdict first, then what was read and what it does not show."""
    broken = report.broken
    if broken is None:
        first = f"pass   the chain holds over lines {report.first:,} to {report.last:,}"
    else:
        place = f"{broken.file}, line {broken.line:,}" if broken.line else broken.file
        first = f"fail   {place}: {broken.why}"
    lines = [first, f"  read    {report.lines:,} lines, {report.requests:,} requests, {len(report.files)} files"]
    lines.append(f"  head    {report.head}")
    notes = []
    if report.first > 1:
        notes.append(f"it begins with line {report.first:,}: older files were not given")
    if report.lost:
        notes.append(f"{report.lost:,} requests have no line, because it could not be written")
    if report.torn:
        notes.append(f"{report.torn:,} lines are cut short, because the server was killed")
    if not report.is_closed:
        notes.append("it does not end with a server's end: one still writes, was killed, or the end was cut off")
    return "\n".join([*lines, *(f"  note    {note}" for note in notes)])
