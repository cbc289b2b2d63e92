"""`modeldyno.server.deadline`: whoever gives up first decides."""

import numpy as np
import pytest

from modeldyno.server.deadline import earliest_ns
from modeldyno.wire.v2_request import InferRequest


@pytest.mark.parametrize(
    ("own_us", "deadline_ns", "timeout_ns", "expected"),
    (
        (None, None, None, None),
        (5, None, None, 5_100),
        (None, 700, None, 700),
        (None, None, 900, 1_000),
        (5, 700, 900, 700),
        (5, 7_000, 900, 1_000),
        (5, 7_000, 9_000, 5_100),
        (None, 0, 900, 0),
    ),
)
def test_the_first_of_three_moments_counts(
    own_us: int | None, deadline_ns: int | None, timeout_ns: int | None, expected: int | None
) -> None:
    request = InferRequest({"x": np.zeros(1)}, 1, 1, ((),), (), None, timeout_us=own_us)
    assert expected == earliest_ns(request, 100, deadline_ns, timeout_ns)
