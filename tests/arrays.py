"""Arrays of every datatype of the protocol, drawn by hypothesis, which knows nothing of BF16."""

from typing import Any

import numpy as np
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, to_floats
from modeldyno.records.signature import DATATYPES


def arrays(datatype: str, shape: Any, *, allow_nan: bool = True, allow_infinity: bool = True) -> Any:
    """As `hypothesis.extra.numpy.arrays`; any datatype but BYTES."""
    if datatype == "BF16":

        def is_allowed(array: NDArray[Any]) -> bool:
            floats = to_floats(array)
            return (allow_nan or not np.isnan(floats).any()) and (allow_infinity or not np.isinf(floats).any())

        return hnp.arrays(np.dtype("<u2"), shape).map(lambda bits: bits.view(BF16)).filter(is_allowed)
    dtype = np.dtype(DATATYPES[datatype])
    limits: dict[str, Any] = {"allow_nan": allow_nan, "allow_infinity": allow_infinity} if dtype.kind == "f" else {}
    return hnp.arrays(dtype, shape, elements=hnp.from_dtype(dtype, **limits))
