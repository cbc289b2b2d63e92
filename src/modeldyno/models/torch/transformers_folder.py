"""Text encoders in a directory of Hugging Face's transformers: classifiers and embedders, weights in safetensors.

Tokens go in; texts become tokens by the operation `tokenise` with the directory's `tokenizer.json`, in a data document
and in front of the bundle. What is put behind the encoder is what sentence-transformers wrote beside it, if it did.
"""

import json
import warnings
from pathlib import Path
from typing import Any, Literal, NamedTuple

from modeldyno.errors import InputError, UsageError
from modeldyno.records.artifact import Model, Precision, Task
from modeldyno.records.files import digest_files
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.torch_library import load_torch

WEIGHTS = "model.safetensors"
_FURTHER = (WEIGHTS, "tokenizer.json", "tokenizer_config.json", "modules.json", "1_Pooling/config.json")
_CLASSIFIER = "ForSequenceClassification"
_INPUTS = tuple(
    TensorSpec(name=name, datatype="INT64", shape=("batch", "sequence")) for name in ("input_ids", "attention_mask")
)
_PRECISIONS: dict[str, Precision] = {"float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


class Plan(NamedTuple):
    """What is computed of an encoder's tokens."""

    architecture: str
    pooling: Literal["mean", "first", "classifier"]
    is_normalised: bool
    """Whether embeddings have the length 1."""
    width: int
    """Of an embedding, or the number of labels."""
    classes: tuple[str, ...]
    precision: Precision


def describe_transformer(path: Path, task: Task | None) -> Model:
    """The record of an encoder, read from its configuration; no library is loaded.

    Args:
        path: its config.json.
        task: overrides what the architecture says.

    Raises:
        InputError: a file is missing or broken, or the model is neither a classifier nor an embedder.
    """
    folder, plan = path.parent, read_plan(path)
    files = tuple(name for name in _FURTHER if (folder / name).is_file())
    names = (path.name, *files)
    told: Task = "embedding" if plan.pooling != "classifier" else "classification" if plan.width > 1 else "regression"
    return Model(
        name=folder.resolve().name,
        path=str(path),
        files=files,
        format="transformers",
        description=f"{plan.architecture}, {_in_words(plan)}",
        task=task or told,
        classes=plan.classes,
        signature=signature_of(plan),
        precision=plan.precision,
        size_bytes=sum((folder / name).stat().st_size for name in names),
        digest=digest_files(folder, names),
        parameters=_parameters(folder / WEIGHTS),
        made_with="Transformers",
    )


def read_plan(path: Path) -> Plan:
    """What a config.json, and what lies beside it, says is to be computed.

    Raises:
        InputError: see `describe_transformer`.
    """
    config, folder = _read(path), path.parent
    if "model_type" not in config:
        raise InputError(f"{path} is not a configuration of transformers", why="it has no `model_type`")
    if not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder} holds no {WEIGHTS}",
            why="weights are read from safetensors only, which cannot hold code, and from one file",
            hint=f'save them so: model.save_pretrained("{folder}", max_shard_size="100GB")',
        )
    architecture = str(next(iter(config.get("architectures") or ()), ""))
    precision = _PRECISIONS.get(str(config.get("dtype", config.get("torch_dtype", "float32"))), "fp32")
    if architecture.endswith(_CLASSIFIER):
        names = {int(number): str(label) for number, label in (config.get("id2label") or {}).items()}
        labels = tuple(names[number] for number in sorted(names)) or ("LABEL_0", "LABEL_1")
        classes = labels if len(labels) > 1 else ()
        return Plan(architecture, "classifier", False, len(labels), classes, precision)  # noqa: FBT003 - named in `Plan`
    generates = "LMHead" in architecture or config.get("is_encoder_decoder")
    if generates or not architecture.endswith("Model"):
        raise InputError(
            f"{path} is a {architecture or 'model without an architecture'}",
            why=f"only embedders (…Model) and classifiers (…{_CLASSIFIER}) of texts can be served",
            hint="`dyno load` measures servers of models that generate text",
        )
    return Plan(
        architecture, _pooling(folder), _is_normalised(folder), int(config.get("hidden_size", 0)), (), precision
    )


def signature_of(plan: Plan) -> Signature:
    """Tokens in; probabilities, a value or an embedding out."""
    name = "embedding" if plan.pooling != "classifier" else "probabilities" if plan.width > 1 else "value"
    return Signature(inputs=_INPUTS, outputs=(TensorSpec(name=name, datatype="FP32", shape=("batch", plan.width)),))


def load_encoder(path: Path, signature: Signature, *, spells_attention: bool = False) -> Any:
    """The `torch.nn.Module` that takes tokens and their mask.

    Args:
        path: of the config.json.
        signature: that it shall have.
        spells_attention: whether attention is computed by plain products and a softmax, which is slower in PyTorch, but
            exported without the guard against rows without a token and with two thirds of the reshapes.

    Raises:
        InputError: it cannot be loaded, or is another model than `signature` says.
        UsageError: PyTorch or transformers is not installed.
    """
    plan = read_plan(path)
    if signature_of(plan) != signature:
        raise InputError(f"{path} is not the model that was asked for", why="its signature is another one")
    torch = load_torch()
    try:
        import transformers
    except ImportError as problem:
        raise UsageError(
            "transformers is not installed", why=str(problem), hint="pip install 'modeldyno[hf]'"
        ) from problem
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    kind = transformers.AutoModelForSequenceClassification if plan.pooling == "classifier" else transformers.AutoModel
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = kind.from_pretrained(
                str(path.parent),
                local_files_only=True,
                use_safetensors=True,
                attn_implementation="eager" if spells_attention else None,
            )
    except Exception as problem:  # OSError, ValueError, and what safetensors and the configuration raise
        lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
        raise InputError(
            f"transformers cannot load {path.parent}", why=lines[0][:300] if lines else type(problem).__name__
        ) from problem
    return _encoder(torch, model.eval(), plan)


def _encoder(torch: Any, model: Any, plan: Plan) -> Any:
    # Made here, for torch is imported only when it is used.
    class Encoder(torch.nn.Module):  # type: ignore[misc]  # its base is not known to the type checker
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            answered = self.model(input_ids=input_ids, attention_mask=attention_mask)
            if plan.pooling == "classifier":
                logits = answered.logits.float()  # what is computed in half precision ends here
                return logits.softmax(-1) if plan.width > 1 else logits
            states = answered.last_hidden_state.float()
            if plan.pooling == "first":
                pooled = states[:, 0]
            else:
                weights = attention_mask.unsqueeze(-1).to(states.dtype)
                pooled = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, dim=-1) if plan.is_normalised else pooled

    return Encoder().eval()


def _pooling(folder: Path) -> Literal["mean", "first"]:
    place = folder / "1_Pooling" / "config.json"
    if not place.is_file():
        return "mean"
    modes = {name for name, value in _read(place).items() if name.startswith("pooling_mode") and value}
    named = _read(place).get("pooling_mode")
    if "pooling_mode_mean_tokens" in modes or named == "mean":
        return "mean"
    if "pooling_mode_cls_token" in modes or named == "cls":
        return "first"
    raise InputError(
        f"{place} asks for a pooling that is not known here: {', '.join(sorted(modes))}",
        why="known are the mean of all tokens and the first token",
    )


def _is_normalised(folder: Path) -> bool:
    place = folder / "modules.json"
    return place.is_file() and "Normalize" in place.read_text()


def _in_words(plan: Plan) -> str:
    if plan.pooling == "classifier":
        return f"{plan.width} labels" if plan.width > 1 else "one value"
    pooled = "mean of the tokens" if plan.pooling == "mean" else "first token"
    return f"{pooled}, of length 1" if plan.is_normalised else pooled


def _parameters(path: Path) -> int:
    """Counted in the header of a safetensors file: eight bytes of its length, then JSON with each tensor's shape."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = stream.read(min(length, 2**27))
    try:
        tensors = json.loads(header)
        shapes = [tensor["shape"] for name, tensor in tensors.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{path} is not a safetensors file", why="its header cannot be read") from problem
    total = 0
    for shape in shapes:
        count = 1
        for size in shape:
            count *= int(size)
        total += count
    return total


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise InputError(f"cannot read {path}", why=str(problem)) from problem
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object")
    return content
