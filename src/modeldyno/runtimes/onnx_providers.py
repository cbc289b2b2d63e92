"""Execution providers of ONNX Runtime: what computes its operators, chosen by device and mode, and never another.

ONNX Runtime by itself goes on with the processor where a provider cannot be had, and prints that it does
(microsoft/onnxruntime#23372, #17801). Here that is an error: a measurement of a GPU must not be one of the processor.

A call takes and gives arrays in the machine's own memory. To bind them to memory of the device beforehand (IO binding)
saves nothing then: `run` copies the same bytes to the device and back. It would pay where answers stay on the device
for another model, which nothing here does; on the processor there is nothing to copy at all.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from modeldyno.errors import ToolError, UsageError
from modeldyno.records.deployment import Device, SessionSettings
from modeldyno.runtimes.installed import describe_onnx_runtime, execution_providers

_Options = dict[str, str]
_PROCESSOR = "CPUExecutionProvider"


class Provider(NamedTuple):
    """One execution provider, and those that take the operators it leaves."""

    name: str
    """ONNX Runtime's own, without `ExecutionProvider`."""
    install: str
    """What to type where it is missing."""
    options: Callable[[SessionSettings], _Options]
    behind: tuple[tuple[str, _Options], ...] = ()


_INSTEAD = "pip uninstall onnxruntime && pip install {} (it takes the place of onnxruntime: never both)"
_CUDA_OPTIONS = {
    # TF32, which is on by default where the GPU has it, keeps 10 bits of a mantissa: less than the artifact stores.
    "use_tf32": "0",
    # By default every new shape is tried with every algorithm of cuDNN, and batches come in all sizes.
    "cudnn_conv_algo_search": "HEURISTIC",
}
_CUDA = ("CUDAExecutionProvider", _CUDA_OPTIONS)


def _cuda_options(_settings: SessionSettings) -> _Options:
    return _CUDA_OPTIONS


def _tensorrt_options(_settings: SessionSettings) -> _Options:
    """Its own: the precision of the graph. It has no option against TF32, only NVIDIA_TF32_OVERRIDE=0 around it."""
    return {}


def _openvino_options(settings: SessionSettings) -> _Options:
    """As `modeldyno.runtimes.open_vino` has it: its default precision is bfloat16 where the processor has it."""
    properties = {
        "INFERENCE_NUM_THREADS": str(settings.threads),
        "NUM_STREAMS": "1",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    return {"device_type": "CPU", "load_config": json.dumps({"CPU": properties})}


PROVIDERS: dict[tuple[Device, str], Provider] = {
    ("cuda", ""): Provider("CUDA", _INSTEAD.format("onnxruntime-gpu"), _cuda_options),
    ("cuda", "tensorrt"): Provider(
        "Tensorrt",
        f"{_INSTEAD.format('onnxruntime-gpu')}; and: pip install tensorrt",
        _tensorrt_options,
        behind=(_CUDA,),
    ),
    ("cpu", "openvino"): Provider("OpenVINO", _INSTEAD.format("onnxruntime-openvino"), _openvino_options),
}
"""By device and mode of the settings. What is not here and not the processor's own is refused."""


def provider_for(settings: SessionSettings) -> Provider | None:
    """What computes under such settings; None: the processor, by ONNX Runtime's own kernels.

    Raises:
        UsageError: ONNX Runtime has no such device or mode, or no choice of precision, or the provider is not there.
    """
    if settings.precision is not None:
        raise UsageError(
            f"ONNX Runtime cannot compute in {settings.precision} on request",
            why="it computes in what the graph says",
            hint="`dyno compress --list` names what changes the graph, and what other runtimes compute in",
        )
    key = (settings.device, settings.mode)
    if key == ("cpu", ""):
        return None
    if key not in PROVIDERS:
        known = ", ".join(f"{mode} on {device}" if mode else device for device, mode in PROVIDERS)
        asked = f"{settings.mode} on {settings.device}" if settings.mode else settings.device
        raise UsageError(f"ONNX Runtime does not compute by {asked!r}", why=f"known are cpu, {known}")
    if not is_provider_installed(*key):
        chosen = PROVIDERS[key]
        raise UsageError(
            f"this ONNX Runtime has no {chosen.name} execution provider",
            why=f"ONNX Runtime here is {describe_onnx_runtime()}",
            hint=chosen.install,
        )
    return PROVIDERS[key]


def is_provider_installed(device: Device, mode: str) -> bool:
    """Whether the installed ONNX Runtime was built with it; that a GPU is there it does not say."""
    return PROVIDERS[device, mode].name in execution_providers()


def provider_arguments(provider: Provider | None, settings: SessionSettings) -> list[Any]:
    """The `providers` of an `onnxruntime.InferenceSession`, the first choice first."""
    if provider is None:
        return [_PROCESSOR]
    return [(f"{provider.name}ExecutionProvider", provider.options(settings)), *provider.behind, _PROCESSOR]


def remember_assignments(options: Any) -> None:
    """Have a session keep which provider takes which operators, for `check_assignments`."""
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")


def check_assignments(engine: Any, provider: Provider) -> None:
    """Hold what a session does against what was asked of it.

    Args:
        engine: an `onnxruntime.InferenceSession`, opened with `remember_assignments`.
        provider: what was asked for.

    Raises:
        ToolError: the provider was left out, or takes none of the operators.
    """
    wanted = f"{provider.name}ExecutionProvider"
    active = list(engine.get_providers())
    if wanted not in active:
        raise ToolError(
            f"ONNX Runtime went on without its {provider.name} execution provider",
            why=f"it could not start it, and took {_names(active)} instead; it prints why to standard error",
            hint="a driver or a library is missing or too old: "
            "see onnxruntime.ai/docs/execution-providers for what it needs",
        )
    takers = [one.ep_name for one in engine.get_provider_graph_assignment_info()]
    if wanted not in takers:
        raise ToolError(
            f"the {provider.name} execution provider takes no operator of this model",
            why=f"all of them went to {_names(takers)}",
            hint="open it on the processor, where nothing is copied to and fro",
        )


def _names(providers: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(name.removesuffix("ExecutionProvider") for name in providers)) or "none"
