"""The child process of `openvino_int8`: NNCF's post-training quantisation."""

import logging
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from modeldyno.children import answer
from modeldyno.compression.calibration import read_calibration
from modeldyno.compression.openvino_int8 import Int8Result, Int8Task
from modeldyno.errors import InputError
from modeldyno.openvino_library import load_nncf, load_openvino, read_network

PRODUCTS = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul"})
"""The operations that gain from int8; others follow where they can."""
_ROUNDED = frozenset({"FakeQuantize", "Multiply", "Subtract", "Convert"})
"""What an input of a quantised product comes from: an activation's rounding, or a weight's way back from 8 bits."""


def quantise(task: Int8Task) -> Int8Result:
    """Quantise, check and write.

    Raises:
        InputError: no operation was quantised.
    """
    network = quantised(task)
    layers = len(quantised_layers(network))
    if layers == 0:
        raise nothing_to_quantise(task)
    save(network, task)
    return Int8Result(nncf=load_nncf().__version__, layers=layers)


def quantised(task: Int8Task, *, spared: Sequence[str] = (), correct_biases: bool = True) -> Any:
    """The model in int8, but for the layers of the names `spared`.

    Raises:
        InputError: it has no operation to quantise.
    """
    nncf = load_nncf()
    nncf.set_log_level(logging.ERROR)
    network = read_network(Path(task.source))
    _fold(network)
    kinds = Counter(one.get_type_name() for one in network.get_ops())
    if not kinds.keys() & PRODUCTS:
        raise nothing_to_quantise(task)
    # Attention has a softmax in each layer; a classifier has one at its end.
    has_attention = kinds["Softmax"] >= 2 or kinds["ScaledDotProductAttention"] > 0
    rows = read_calibration(task.calibration)
    return nncf.quantize(
        network,
        nncf.Dataset(rows),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(rows),
        model_type=nncf.ModelType.TRANSFORMER if has_attention else None,
        ignored_scope=nncf.IgnoredScope(names=list(spared)) if spared else None,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.ENABLE if task.fix_overflow else nncf.OverflowFix.DISABLE,
            disable_bias_correction=not correct_biases,
        ),
    )


def _fold(network: Any) -> None:
    """Compute what constants alone decide.

    Keras exports kernels as constants and a Transpose of each, and NNCF leaves a product alone whose weights are no
    constant.
    """
    load_openvino()
    passes = import_module("openvino.passes")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(network)


def quantised_layers(network: Any) -> list[Any]:
    """The products whose inputs are all rounded, in the order in which they are computed."""
    return [one for one in network.get_ordered_ops() if one.get_type_name() in PRODUCTS and _is_rounded(one)]


def save(network: Any, task: Int8Task) -> None:
    """Write the .xml file and its .bin; what was not quantised stays in single precision."""
    load_openvino().save_model(network, task.destination, compress_to_fp16=False)


def nothing_to_quantise(task: Int8Task) -> InputError:
    """The error for a model without products of constant weights."""
    return InputError(
        f"{Path(task.source).name} has nothing to quantise",
        why="none of its operations is a convolution or a product of matrices that could be in int8",
        hint="trees and models of a single operation are as small as they get",
    )


def _is_rounded(layer: Any) -> bool:
    weights = layer.input(1).get_source_output().get_node().get_type_name()
    return weights in _ROUNDED


if __name__ == "__main__":
    answer(quantise, Int8Task)
