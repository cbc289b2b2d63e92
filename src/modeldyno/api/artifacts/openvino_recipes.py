"""What OpenVINO and NNCF make of a model; without them installed, the first says so and the others are left out."""

from pathlib import Path

from modeldyno.api.artifacts.opening import ORIGINAL
from modeldyno.api.artifacts.recipe import BF16_FLAGS, FP16_FLAGS, LIMITS, ONNX_FP32, Recipe, Situation, computed_in
from modeldyno.api.judging.answers import resolved_task
from modeldyno.compression.calibration import Calibration, write_calibration
from modeldyno.compression.openvino_int8 import quantise_int8, restore_layers
from modeldyno.compression.weight_only import Bits, compress_weights
from modeldyno.errors import UsageError
from modeldyno.models.openvino.conversion import convert_to_openvino
from modeldyno.openvino_library import INSTALL, is_openvino_installed
from modeldyno.records.artifact import Artifact

OPENVINO_FP32 = "openvino-fp32"
_INT8 = "openvino-int8"
_LEAST_PARAMETERS = 50_000
"""Below that a call costs more than its arithmetic, and OpenVINO's is the dearer one (some 30 µs against 10)."""
_MEMORY_BOUND_PARAMETERS = 4_000_000
"""16 MB in single precision: more than a core's caches hold, so that weights are read from memory in every call."""


def _is_worth_converting(situation: Situation, parent: Artifact) -> bool:
    """Graphs of scikit-learn are left out: they are of ai.onnx.ml, which OpenVINO does not know."""
    is_readable = parent.format == "saved-model" or (parent.format == "onnx" and parent.precision in ("fp32", "mixed"))
    return is_readable and situation.model.format not in ("sklearn", "xgboost", "lightgbm") and _is_large(situation)


def _is_large(situation: Situation, least: int = _LEAST_PARAMETERS) -> bool:
    return bool(situation.asked) or (situation.model.parameters or 0) >= least


def _is_plain(situation: Situation, parent: Artifact) -> bool:
    return parent.format == "openvino" and parent.precision in ("fp32", "mixed") and _is_large(situation)


def _has_bf16(situation: Situation, parent: Artifact) -> bool:
    return _is_plain(situation, parent) and bool(BF16_FLAGS & set(situation.cpu_flags))


def _has_fp16(situation: Situation, parent: Artifact) -> bool:
    return _is_plain(situation, parent) and bool(FP16_FLAGS & set(situation.cpu_flags))


def _is_quantised(situation: Situation, parent: Artifact) -> bool:
    return _is_plain(situation, parent) and _quantised(situation).is_file()


def _is_memory_bound(situation: Situation, parent: Artifact) -> bool:
    return _is_plain(situation, parent) and _is_large(situation, _MEMORY_BOUND_PARAMETERS)


def _convert(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    if not is_openvino_installed():
        raise UsageError("OpenVINO is not installed", why=f"it is often the fastest on Intel processors: {INSTALL}")
    return convert_to_openvino(parent, place.with_suffix(".xml"), limits=LIMITS)


def _bf16(_situation: Situation, parent: Artifact, _place: Path) -> Artifact:
    return computed_in("bf16", parent)


def _fp16(_situation: Situation, parent: Artifact, _place: Path) -> Artifact:
    return computed_in("fp16", parent)


def _int8(situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return quantise_int8(
        parent,
        place.with_suffix(".xml"),
        _calibration(situation, parent),
        cpu_flags=situation.cpu_flags,
        limits=LIMITS,
    )


def _restored(situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return restore_layers(
        parent,
        place.with_suffix(".xml"),
        _calibration(situation, parent),
        quantised=_quantised(situation),
        task=resolved_task(situation.model.task, situation.dataset.labels),
        cpu_flags=situation.cpu_flags,
        limits=LIMITS,
    )


def _weights_int8(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return _weights(parent, place, 8)


def _weights_int4(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return _weights(parent, place, 4)


def _weights(parent: Artifact, place: Path, bits: Bits) -> Artifact:
    return compress_weights(parent, place.with_suffix(".xml"), bits=bits, limits=LIMITS)


def _quantised(situation: Situation) -> Path:
    return situation.folder / f"{_INT8}.xml"


def _calibration(situation: Situation, parent: Artifact) -> Calibration:
    return write_calibration(situation.dataset, parent.signature, situation.folder / "calibration.npz")


_PLAIN = (OPENVINO_FP32, ORIGINAL)

_NEEDS_PLAIN = "a model that OpenVINO reads, in single precision"

OPENVINO_RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name=OPENVINO_FP32,
        stage="convert",
        parents=(ONNX_FP32, ORIGINAL),
        concerns=_is_worth_converting,
        make=_convert,
        does="converted to OpenVINO, weights as they are",
        needs="a SavedModel, or ONNX in single precision that is not made of trees or scikit-learn",
    ),
    Recipe(
        name="openvino-bf16",
        stage="convert",
        parents=_PLAIN,
        concerns=_has_bf16,
        make=_bf16,
        does="computed in bf16, stored as it is",
        needs="OpenVINO, and a processor with avx512_bf16 or amx_bf16",
    ),
    Recipe(
        name="openvino-fp16",
        stage="convert",
        parents=_PLAIN,
        concerns=_has_fp16,
        make=_fp16,
        does="computed in fp16, stored as it is",
        needs="OpenVINO, and a processor with avx512_fp16 or amx_fp16",
    ),
    Recipe(
        name=_INT8,
        stage="compress",
        parents=_PLAIN,
        concerns=_is_plain,
        make=_int8,
        does="weights and activations in 8 bits by NNCF, scales from calibration rows",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="openvino-int8-restored",
        stage="compress",
        parents=_PLAIN,
        concerns=_is_quantised,
        make=_restored,
        does="the same, its most sensitive layers in single precision again",
        needs=_NEEDS_PLAIN,
        after=(_INT8,),
    ),
    Recipe(
        name="openvino-int8-weights",
        stage="compress",
        parents=_PLAIN,
        concerns=_is_memory_bound,
        make=_weights_int8,
        does="weights of matrices in 8 bits, computed as before",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="openvino-int4-weights",
        stage="compress",
        parents=_PLAIN,
        concerns=_is_memory_bound,
        make=_weights_int4,
        does="weights of matrices in 4 bits, computed as before",
        needs=_NEEDS_PLAIN,
    ),
)
"""In the order in which they are tried."""
