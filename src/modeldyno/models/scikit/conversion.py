"""The child process of `conversion`: skl2onnx, then the signature made the same as the original's."""

import warnings
from pathlib import Path
from typing import Any

import onnx
import skl2onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.svm import LinearSVC

from modeldyno.children import answer
from modeldyno.errors import InputError, first_line
from modeldyno.models.conversion import ConversionResult, ConversionTask
from modeldyno.models.onnx.outputs import fit_outputs
from modeldyno.models.scikit.estimator import load_scikit
from modeldyno.models.scikit.missing_directions import booleans_as_numbers, keep_missing_directions
from modeldyno.records.files import write_atomically
from modeldyno.records.signature import Signature, TensorSpec


def convert(task: ConversionTask) -> ConversionResult:
    """Load, convert, fit the outputs, check and write.

    Raises:
        InputError: a step of the model has no converter, or not for its settings.
        ToolError: the result has fewer outputs than the signature.
    """
    source = Path(task.source)
    estimator = load_scikit(source, trust=task.trust)
    with warnings.catch_warnings(), booleans_as_numbers():
        warnings.simplefilter("ignore")
        converted = _convert(estimator, task.signature, source)
    _lower_case_anywhere(converted)
    keep_missing_directions(converted, estimator)
    fit_outputs(converted, task.signature)
    # The full check infers shapes and types, and compares them with those just declared.
    onnx.checker.check_model(converted, full_check=True)
    write_atomically(Path(task.destination), converted.SerializeToString())
    opset = next(entry.version for entry in converted.opset_import if entry.domain == "")
    return ConversionResult(recipe=f"skl2onnx {skl2onnx.__version__}, opset {opset}")


def _convert(estimator: Any, signature: Signature, source: Path) -> Any:
    # A pipeline gives `zipmap` to each classifier without options of its own, and LinearSVC refuses to know it.
    options: dict[Any, dict[str, bool]] = {LinearSVC: {}}
    if hasattr(estimator, "predict_proba"):
        # Without it the probabilities are a sequence of dictionaries, which no protocol can carry.
        options[id(estimator)] = {"zipmap": False}
    try:
        return skl2onnx.convert_sklearn(
            estimator, initial_types=[(spec.name, _type_of(spec)) for spec in signature.inputs], options=options
        )
    except RuntimeError as problem:  # of which its own kinds are, and what it raises for a setting it does not know
        raise InputError(
            f"{source.name} cannot be converted to ONNX",
            why=first_line(problem),
            hint="it can still be measured and served as it came",
        ) from problem


def _lower_case_anywhere(model: Any) -> None:
    """Vectorisers make small letters by a locale, and the one the converter writes, en_US, is not on every machine."""
    for node in model.graph.node:
        if node.op_type == "StringNormalizer":
            kept = [attribute for attribute in node.attribute if attribute.name != "locale"]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("locale", "C.UTF-8")])


def _type_of(spec: TensorSpec) -> Any:
    sizes = [size if isinstance(size, int) else None for size in spec.shape]
    return StringTensorType(sizes) if spec.datatype == "BYTES" else FloatTensorType(sizes)


if __name__ == "__main__":
    answer(convert, ConversionTask)
