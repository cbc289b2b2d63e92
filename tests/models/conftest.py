from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modeldyno.models.conversion import ConversionTask
from modeldyno.models.examine import examine
from modeldyno.models.scikit.estimator import save_skops
from modeldyno.records.artifact import Model
from modeldyno.testing import models as samples

Convert = Callable[[Any, str], tuple[Model, Path]]


@pytest.fixture(scope="session")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Saves and converts an estimator, in this process: one child for each would take two seconds."""
    folder = tmp_path_factory.mktemp("converted")
    done: dict[str, tuple[Model, Path]] = {}

    def convert_once(estimator: Any, name: str) -> tuple[Model, Path]:
        from modeldyno.models.scikit.conversion import convert as convert_here

        if name not in done:
            source, destination = folder / f"{name}.skops", folder / f"{name}.onnx"
            save_skops(estimator, source)
            model = examine(source, trust=False)
            task = ConversionTask(
                source=str(source), destination=str(destination), trust=False, signature=model.signature
            )
            convert_here(task)
            done[name] = (model, destination)
        return done[name]

    return convert_once


@pytest.fixture(scope="session")
def mlp_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlp") / "digits.skops"
    save_skops(samples.digits_mlp(), path)
    return path
