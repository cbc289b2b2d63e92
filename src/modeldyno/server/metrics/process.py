"""What this process uses."""

import resource
from pathlib import Path

from modeldyno.server.metrics.totals import ProcessTotals

_PAGE_BYTES = resource.getpagesize()


def own_process(proc: Path = Path("/proc/self")) -> ProcessTotals:
    """As getrusage(2) and proc(5) say; memory and files are 0 where there is no procfs."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_ns = round((used.ru_utime + used.ru_stime) * 1e9)
    try:
        pages = int((proc / "statm").read_text(encoding="ascii").split()[1])
        return ProcessTotals(cpu_ns, pages * _PAGE_BYTES, sum(1 for _ in (proc / "fd").iterdir()))
    except FileNotFoundError:
        return ProcessTotals(cpu_ns)
