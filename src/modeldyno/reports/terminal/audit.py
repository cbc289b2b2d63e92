"""The check of an audit log in words."""

from modeldyno.records.security import AuditReport


def format_audit(report: AuditReport) -> str:
    """The verdict first, then what was read and what it does not show."""
    broken, chains = report.broken, report.chains
    if broken is not None:
        place = f"{broken.file}, line {broken.line:,}" if broken.line else broken.file
        first = f"fail   {place}: {broken.why}"
    elif len(chains) > 1:
        first = f"pass   the chains of {len(chains)} processes hold"
    else:
        first = f"pass   the chain holds over lines {report.first:,} to {report.last:,}"
    lines = [first, f"  read    {report.lines:,} lines, {report.requests:,} requests, {len(report.files)} files"]
    lines += [f"  head    {chain.head}{f'  {chain.files[-1]}' if len(chains) > 1 else ''}" for chain in chains]
    return "\n".join([*lines, *(f"  note    {note}" for note in _notes(report))])


def _notes(report: AuditReport) -> list[str]:
    notes = []
    for chain in report.chains:
        of = f"{chain.files[-1]}: " if len(report.chains) > 1 else ""
        if chain.first > 1:
            notes.append(f"{of}it begins with line {chain.first:,}: older files were not given")
        if not chain.is_closed:
            notes.append(f"{of}it does not end with a server's end: one still writes, was killed, or it was cut off")
    if report.lost:
        notes.append(f"{report.lost:,} requests have no line, because it could not be written")
    if report.torn:
        notes.append(f"{report.torn:,} writes are cut short, because the server was killed")
    return notes
