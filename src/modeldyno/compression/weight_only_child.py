"""The child process of `weight_only`: NNCF's weight compression."""

import logging
import math
from pathlib import Path
from typing import Any

from modeldyno.children import answer
from modeldyno.compression.weight_only import WeightResult, WeightTask
from modeldyno.errors import InputError
from modeldyno.openvino_library import load_nncf, load_openvino, read_network

_LEAST_SHARE = 0.5
"""With less of the weights in matrices, what is saved is not what takes the time."""
_GROUP = 64
_NARROW = frozenset({"i8", "u8", "i4", "u4"})


def compress(task: WeightTask) -> WeightResult:
    """Compress, check and write.

    Raises:
        InputError: most weights are not in matrices.
    """
    nncf = load_nncf()
    nncf.set_log_level(logging.ERROR)
    network = read_network(Path(task.source))
    in_matrices = _share_in_matrices(network)
    if in_matrices < _LEAST_SHARE:
        raise InputError(
            f"the weights of {Path(task.source).name} are not worth compressing alone",
            why=f"{in_matrices:.0%} of them are in matrices; the others are read once for many products, so that "
            "arithmetic takes the time and not memory",
        )
    network = nncf.compress_weights(network, **_how(nncf, task))
    load_openvino().save_model(network, task.destination, compress_to_fp16=False)
    return WeightResult(nncf=nncf.__version__, share=_share(network, _NARROW))


def _how(nncf: Any, task: WeightTask) -> dict[str, Any]:
    if task.bits == 8:
        return {"mode": nncf.CompressWeightsMode.INT8_ASYM}
    fallback = nncf.AdvancedCompressionParameters(group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST)
    return {"mode": nncf.CompressWeightsMode.INT4_SYM, "group_size": _GROUP, "advanced_parameters": fallback}


def _share_in_matrices(network: Any) -> float:
    """The share of the float weights that a MatMul or a Gather takes."""
    sizes = {"matrices": 0, "others": 0}
    for constant in network.get_ops():
        if constant.get_type_name() != "Constant" or not constant.get_element_type().is_real():
            continue
        takers = {one.get_node().get_type_name() for one in constant.output(0).get_target_inputs()}
        place = "matrices" if takers & {"MatMul", "Gather", "Convert"} else "others"
        sizes[place] += math.prod(constant.get_output_shape(0))
    return sizes["matrices"] / max(sum(sizes.values()), 1)


def _share(network: Any, kinds: frozenset[str]) -> float:
    """The share of the weights whose type is one of `kinds`."""
    constants = [one for one in network.get_ops() if one.get_type_name() == "Constant"]
    sizes = [
        (one.get_element_type().get_type_name() in kinds, math.prod(one.get_output_shape(0)))
        for one in constants
        if one.get_element_type().is_real() or one.get_element_type().get_type_name() in _NARROW
    ]
    narrow: int = sum(size for is_narrow, size in sizes if is_narrow)
    total: int = sum(size for _, size in sizes)
    return narrow / max(total, 1)


if __name__ == "__main__":
    answer(compress, WeightTask)
