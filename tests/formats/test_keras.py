"""Keras files, .keras and legacy .h5, go from the file to a served bundle, held against Keras's own answers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.formats import whole_way

import modeldyno
from modeldyno.errors import InputError, TrustError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MAKE = """
from modeldyno.openvino_library import refuse_telemetry

refuse_telemetry()
import keras, numpy as np
from keras import layers

keras.utils.set_random_seed(0)

def convolved(value, filters, strides):
    value = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(value)
    value = layers.BatchNormalization()(value)
    return layers.ReLU(max_value=6)(value)

image = layers.Input((224, 224, 3), name="image")
value = layers.Rescaling(1 / 127.5, offset=-1)(image)
value = convolved(value, 16, 2)
value = layers.DepthwiseConv2D(3, strides=2, padding="same")(value)
value = convolved(value, 32, 2)
value = layers.GlobalAveragePooling2D()(value)
model = keras.Model(image, layers.Dense(5, activation="softmax", name="scores")(value))
rows = np.random.default_rng(0).random((24, 1, 1, 3)) * np.random.default_rng(1).random((24, 224, 224, 3)) * 255
rows = rows.astype(np.float32)
model.save("pictures.keras")
model.save("pictures.h5")
answers = model.predict(rows, verbose=0)
np.savez("rows.npz", X=rows, y=answers.argmax(axis=1))
np.save("answers.npy", answers)

twin = keras.Sequential([layers.Input((4,)), layers.Lambda(lambda value: value * 2)])
twin.save("lambda.keras")
twin.save("lambda.h5")

class Doubling(layers.Layer):
    def call(self, value):
        return value * 2

own = keras.Sequential([layers.Input((4,)), Doubling()])
own.save("own.keras")
own.save("own.h5")
model.save_weights("some.weights.h5")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Keras files, made in a process of their own: Keras is never imported into ours."""
    folder = tmp_path_factory.mktemp("keras")
    environment = {**os.environ, "KERAS_BACKEND": "openvino"}
    done = subprocess.run(
        [sys.executable, "-c", MAKE], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    return folder


@pytest.mark.parametrize("name", ("pictures.keras", "pictures.h5"))
def test_it_is_described_without_loading_keras_here(made: Path, name: str) -> None:
    model = modeldyno.inspect(made / name)
    assert ("keras", "fp32", "unknown") == (model.format, model.precision, model.task)
    assert [("image", ("batch", 224, 224, 3))] == [(spec.name, spec.shape) for spec in model.signature.inputs]
    assert [("scores", ("batch", 5))] == [(spec.name, spec.shape) for spec in model.signature.outputs]
    assert "keras" not in sys.modules


@pytest.mark.proves("Keras", files=".keras, .h5 (with Lambda layers only with `--trust`)", extra="keras")
@pytest.mark.parametrize("name", ("pictures.keras", "pictures.h5"))
def test_an_image_model_goes_all_the_way(made: Path, name: str, tmp_path: Path) -> None:
    answers = np.load(made / "answers.npy")
    with np.load(made / "rows.npz") as stored:
        rows = stored["X"]
    evaluation = modeldyno.evaluate(made / name, data=made / "rows.npz", task="classification")
    assert evaluation.quality is not None
    assert 1.0 == evaluation.quality.metrics["accuracy"].value
    search, bundle = whole_way.tune(made / name, made / "rows.npz", tmp_path / "out", task="classification")
    original = search.assessed[0].artifact
    assert ("openvino", "exported by Keras") == (original.format, original.recipe[:17])
    for count in (1, 3):
        outputs = whole_way.ask(bundle, {"image": rows[:count]})
        np.testing.assert_allclose(answers[:count], outputs["scores"], rtol=1e-3, atol=1e-4)


def test_it_can_be_profiled_as_it_came(made: Path) -> None:
    profile = modeldyno.profile(made / "pictures.h5", batches=[1], threads=[1], budget_ns=20_000_000_000)
    assert [("openvino", 1)] == [(one.deployment.runtime, one.batch_rows) for one in profile.points]


@pytest.mark.parametrize("name", ("lambda.keras", "lambda.h5"))
def test_a_lambda_layer_needs_trust(made: Path, name: str) -> None:
    with pytest.raises(TrustError, match="holds Python code") as caught:
        modeldyno.inspect(made / name)
    assert "--trust" in caught.value.hint
    assert "keras" == modeldyno.inspect(made / name, trust=True).format


@pytest.mark.parametrize("name", ("own.keras", "own.h5"))
def test_a_layer_whose_code_is_not_there_is_named(made: Path, name: str) -> None:
    with pytest.raises(InputError, match="needs 'Doubling'"):
        modeldyno.inspect(made / name)


def test_weights_alone_are_no_model(made: Path) -> None:
    with pytest.raises(InputError, match="holds weights only"):
        modeldyno.inspect(made / "some.weights.h5")


@pytest.mark.parametrize("name", ("broken.keras", "broken.h5"))
def test_what_is_no_keras_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"hello, this is neither")
    with pytest.raises(InputError, match="not a Keras model that can be loaded") as caught:
        modeldyno.inspect(tmp_path / name)
    assert caught.value.why
