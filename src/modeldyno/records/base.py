"""What all records share: frozen, keyword-only, with their units in their field names."""

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen noun. Fields never change after construction; `msgspec.structs.replace` makes a changed copy."""


class Estimate(Record, frozen=True, kw_only=True):
    """A number with its interval; the confidence is 95 % unless the field's text says otherwise.

    `low` and `high` are None where the sample cannot support an interval.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def negated(self) -> "Estimate":
        """A loss as a gain, and the other way round."""
        # From zero, for a loss of 0 is a gain of 0 and not of -0.
        low, high = (None if limit is None else 0.0 - limit for limit in (self.high, self.low))
        return Estimate(value=0.0 - self.value, low=low, high=high)
