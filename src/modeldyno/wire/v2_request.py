"""An inference request of the Open Inference Protocol v2, checked against a model's signature."""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.wire.v2_parameters import Parameter
from modeldyno.wire.v2_wishes import OutputWish


class InferRequest(msgspec.Struct, frozen=True):
    """One inference request that fits the model."""

    inputs: dict[str, NDArray[np.generic]]
    """In signature order, each with the dtype of its datatype."""
    rows: int
    """Size of the batch dimension; 1 for a model without one."""
    elements: int
    """Elements of all inputs together: a measure of the work."""
    batch_key: tuple[tuple[int, ...], ...]
    """The inputs' shapes without the batch dimension; only requests of one key can be merged."""
    wishes: tuple[OutputWish, ...]
    id: str | None
    priority: int = 0
    """1 is the highest, 0 none is asked for (Triton's schedule policy extension)."""
    timeout_us: int | None = None
    """From the first byte to the answer; from the parameter `timeout` of the same extension, where 0 is none."""
    parameters: Mapping[str, Parameter] = {}
    """Of the request as a whole, those that are not known here too."""
