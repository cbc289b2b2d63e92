"""What is made of a model for ONNX Runtime."""

from pathlib import Path

from modeldyno.api.artifacts.opening import ORIGINAL
from modeldyno.api.artifacts.provider_recipes import PROVIDER_RECIPES
from modeldyno.api.artifacts.recipe import LIMITS, ONNX_FP32, Recipe, Situation
from modeldyno.compression.attention import fuse_attention, may_attend
from modeldyno.compression.calibration import write_calibration
from modeldyno.compression.dynamic_int8 import compress_dynamic_int8
from modeldyno.compression.narrow_weights import narrow_weights
from modeldyno.compression.optimised_graph import optimise_graph
from modeldyno.compression.pruning import prune
from modeldyno.compression.static_int8 import Method, compress_static_int8
from modeldyno.models.conversion import convert_to_onnx, is_converted
from modeldyno.records.artifact import Artifact

_PLAIN = (ONNX_FP32, ORIGINAL)
_FUSED = "onnx-fused"
_FUSED_OR_PLAIN = (_FUSED, *_PLAIN)
"""With attention as one operator, int8 is faster by a tenth to half, static int8 by more: decision 19."""
_LEAST_PARAMETERS = 10_000
"""Below that there is so little arithmetic that quantising the activations costs more than it saves."""


def _is_converted_by_us(_situation: Situation, parent: Artifact) -> bool:
    return is_converted(parent.format)


def _is_plain(_situation: Situation, parent: Artifact) -> bool:
    return parent.format == "onnx" and parent.precision in ("fp32", "mixed")


def _is_network(situation: Situation, parent: Artifact) -> bool:
    is_large = (situation.model.parameters or 0) >= _LEAST_PARAMETERS
    return _is_plain(situation, parent) and (is_large or bool(situation.asked))


def _attends(situation: Situation, parent: Artifact) -> bool:
    return _is_plain(situation, parent) and may_attend(Path(parent.path))


def _convert(situation: Situation, _parent: Artifact, place: Path) -> Artifact:
    return convert_to_onnx(
        situation.model,
        place.with_suffix(".onnx"),
        trust=situation.trust,
        timeout_ns=LIMITS.timeout_ns,
        memory_bytes=LIMITS.memory_bytes,
    )


def _fused(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return fuse_attention(parent, place.with_suffix(".onnx"), limits=LIMITS)


def _optimised(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return optimise_graph(parent, place.with_suffix(".onnx"), limits=LIMITS)


def _dynamic_int8(situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return compress_dynamic_int8(
        parent,
        place.with_suffix(".onnx"),
        cpu_flags=situation.cpu_flags,
        timeout_ns=LIMITS.timeout_ns,
        memory_bytes=LIMITS.memory_bytes,
    )


def _static_int8(situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return _static(situation, parent, place, "min-max")


def _static_int8_percentile(situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return _static(situation, parent, place, "percentile")


def _static_int8_entropy(situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return _static(situation, parent, place, "entropy")


def _static(situation: Situation, parent: Artifact, place: Path, method: Method) -> Artifact:
    return compress_static_int8(
        parent,
        place.with_suffix(".onnx"),
        write_calibration(situation.dataset, parent.signature, situation.folder / "calibration.npz"),
        method=method,
        cpu_flags=situation.cpu_flags,
        limits=LIMITS,
    )


def _pruned_50(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return prune(parent, place.with_suffix(".onnx"), share=0.5, limits=LIMITS)


def _weights_int8(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return narrow_weights(parent, place.with_suffix(".onnx"), bits=8, limits=LIMITS)


def _weights_int4(_situation: Situation, parent: Artifact, place: Path) -> Artifact:
    return narrow_weights(parent, place.with_suffix(".onnx"), bits=4, limits=LIMITS)


_NEEDS_PLAIN = "a model in ONNX or converted to it, in single precision"

ONNX_RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name=ONNX_FP32,
        stage="convert",
        parents=(ORIGINAL,),
        concerns=_is_converted_by_us,
        make=_convert,
        does="converted to ONNX, in single precision",
        needs="a model of scikit-learn, XGBoost, LightGBM, PyTorch or Hugging Face",
    ),
    Recipe(
        name=_FUSED,
        stage="convert",
        parents=_PLAIN,
        concerns=_attends,
        make=_fused,
        does="attention of transformers as one operator: the longer the texts, the faster",
        needs=f"{_NEEDS_PLAIN}, that has attention",
    ),
    Recipe(
        name="onnx-int8-dynamic",
        stage="compress",
        parents=_FUSED_OR_PLAIN,
        concerns=_is_plain,
        make=_dynamic_int8,
        does="weights in 8 bits, activations quantised on every call",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="onnx-int8-static",
        stage="compress",
        parents=_FUSED_OR_PLAIN,
        concerns=_is_network,
        make=_static_int8,
        does="weights and activations in 8 bits, scales from calibration rows",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="onnx-int8-static-percentile",
        stage="compress",
        parents=_FUSED_OR_PLAIN,
        concerns=_is_network,
        make=_static_int8_percentile,
        does="the same, scales without the outermost values",
        needs=_NEEDS_PLAIN,
    ),
    *PROVIDER_RECIPES,
)
"""In the order in which they are tried."""

ONNX_ON_REQUEST: tuple[Recipe, ...] = (
    Recipe(
        name="onnx-int8-static-entropy",
        stage="compress",
        parents=_PLAIN,
        concerns=_is_network,
        make=_static_int8_entropy,
        does="as onnx-int8-static, scales that keep most information: slow to find, seldom better than percentiles",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="onnx-optimised",
        stage="convert",
        parents=_PLAIN,
        concerns=_is_plain,
        make=_optimised,
        does="the graph as ONNX Runtime optimises it, kept: opens faster, computes as before",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="onnx-int8-weights",
        stage="compress",
        parents=_PLAIN,
        concerns=_is_plain,
        make=_weights_int8,
        does="weights of matrices in 8 bits, computed as before",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="onnx-int4-weights",
        stage="compress",
        parents=_PLAIN,
        concerns=_is_plain,
        make=_weights_int4,
        does="weights of matrices in 4 bits, computed as before",
        needs=_NEEDS_PLAIN,
    ),
    Recipe(
        name="onnx-pruned-50",
        stage="compress",
        parents=_PLAIN,
        concerns=_is_plain,
        make=_pruned_50,
        does="the smaller half of the weights set to zero: mostly no gain, and it shows",
        needs=_NEEDS_PLAIN,
    ),
)
"""What no search tries: they make files smaller, or nothing better, but hardly a service faster."""
