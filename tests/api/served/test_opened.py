"""What a bundle's server knows of it beside its sessions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from modeldyno.api.served.opened import Terms, open_single
from modeldyno.records.server import ServerSettings
from modeldyno.server.serving import ServedModel
from modeldyno.testing import models as samples
from modeldyno.testing.running_server import RunningServer
from modeldyno.testing.scikit_bundles import write_scikit_bundle


def best_class(directory: Path, row: np.ndarray) -> bytes:
    opened = open_single(directory, terms=Terms())
    served = opened.served
    assert isinstance(served, ServedModel)
    try:
        running = RunningServer(served, settings=ServerSettings(port=0))
        with running as server, triton.InferenceServerClient(server.address) as client:
            tensor = triton.InferInput("input", list(row.shape), "FP32")
            tensor.set_data_from_numpy(row)
            wish = triton.InferRequestedOutput("probabilities", class_count=1)
            found: Any = client.infer(served.name, [tensor], outputs=[wish]).as_numpy("probabilities")
    finally:
        opened.close()
    return bytes(found[0, 0])


@pytest.mark.parametrize(
    ("make", "named"),
    (
        (samples.digit_words_pipeline, [b"9", b"zero"]),  # scikit-learn has its classes in alphabetical order
        (samples.digits_mlp, [b"0"]),
    ),
    ids=("words", "numbers"),
)
def test_classes_are_called_by_the_names_that_the_bundle_knows(tmp_path: Path, make: Any, named: list[bytes]) -> None:
    features, labels = samples.digits()
    bundle = write_scikit_bundle(tmp_path / "digits.bundle", make())
    assert named == best_class(bundle, features[labels == 0][:1]).split(b":")[1:]
