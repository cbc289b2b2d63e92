"""The limit on open files, which is a limit on connections."""

import resource

from modeldyno.errors import UsageError

_BESIDE = 64
"""Files of a sending process beside its connections: pipes, libraries, part files, the event loop's own."""


def allow_descriptors(connections: int) -> None:
    """Let this process and its children have so many connections each, as far as the hard limit goes.

    Raises:
        UsageError: the hard limit is lower; names the command that raises it.
    """
    needed = connections + _BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"{connections:,} connections of a sending process do not fit under the limit of {hard:,} open files",
            why=f"they need {needed:,} files, and the hard limit (RLIMIT_NOFILE) cannot be raised from here",
            hint=f"as root: ulimit -Hn {needed} && ulimit -n {needed}, or lower --max-connections or --concurrency, "
            "or spread them with --workers",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
