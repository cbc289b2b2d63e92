"""A stalled machine told from a wrong program."""

MOST_STOLEN = 0.005


def excuse(problem: object, *, stolen: float | None, is_real_time: bool) -> str | None:
    """Why a test that failed has shown nothing; None when it has.

    Args:
        problem: what failed.
        stolen: share of the processor time that the hypervisor gave to others meanwhile, if it can be told.
        is_real_time: whether the test compares real moments with a theory.
    """
    if not is_real_time or stolen is None or stolen <= MOST_STOLEN:
        return None
    return f"the hypervisor gave {stolen:.1%} of the processor time to others meanwhile; what failed: {problem}"
