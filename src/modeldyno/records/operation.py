"""What operations on a single tensor have in common."""

from modeldyno.records.base import Record


class OneTensor(Record, frozen=True, kw_only=True):
    """An operation that reads one tensor and gives one."""

    tensor: str
    output: str = ""
    """Name of the result; empty to take the place of the tensor."""
