from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modeldyno.models.conversion import ConversionTask
from modeldyno.models.scikit.estimator import save_skops, scikit_signature
from modeldyno.records.signature import Signature
from modeldyno.testing import models as samples

Saved = tuple[Path, Path, Signature]
"""As .skops, as .onnx, and the signature of both."""

KINDS: dict[str, Callable[[], Any]] = {
    "mlp": samples.digits_mlp,
    "forest": samples.digits_forest,
    "words": samples.digit_words_pipeline,
    "ink": samples.ink_regressor,
    "halves": samples.halves_regressor,
}


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Saved]:
    folder = tmp_path_factory.mktemp("runtimes")
    done: dict[str, Saved] = {}

    def save(kind: str) -> Saved:
        from modeldyno.models.scikit.conversion import convert

        if kind not in done:
            skops, onnx = folder / f"{kind}.skops", folder / f"{kind}.onnx"
            estimator = KINDS[kind]()
            save_skops(estimator, skops)
            signature = scikit_signature(estimator)
            convert(ConversionTask(source=str(skops), destination=str(onnx), trust=False, signature=signature))
            done[kind] = (skops, onnx, signature)
        return done[kind]

    return save
