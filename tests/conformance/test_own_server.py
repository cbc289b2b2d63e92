"""Modeldyno's own server keeps what its check asks for, recommendations and extensions included."""

from functools import partial

from tests.conformance.fake_model import MODELS, Model
from tests.server.shelf import Shelf

from modeldyno.api.conforming import conform
from modeldyno.protocols import Tensors
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.serving import ServedModel
from modeldyno.testing.running_server import RunningServer, make_model

NAMES = ("bfloat", "half", "numbers", "single", "texts")


def _signature(model: Model) -> Signature:
    inputs, outputs = (
        tuple(
            TensorSpec(name=name, datatype=kind, shape=tuple("batch" if size < 0 else size for size in shape))
            for name, kind, shape in specs
        )
        for specs in (model.inputs, model.outputs)
    )
    return Signature(inputs=inputs, outputs=outputs)


def _compute(model: Model, inputs: Tensors) -> dict[str, object]:
    return dict(model.compute(dict(inputs)))


def _served(name: str, version: str) -> ServedModel:
    compute = partial(_compute, MODELS[name])
    return make_model(compute, _signature(MODELS[name]), name=name, version=version, max_rows=8)  # type: ignore[arg-type]


def test_our_own_server_breaks_no_rule() -> None:
    shelf = Shelf(**{name: [partial(_served, name, version) for version in ("1", "2")] for name in NAMES})
    with RunningServer(settings=ServerSettings(port=0, grpc_port=0), source=shelf) as server:
        found = conform(server.url, grpc_url=f"grpc://{server.grpc_address}")
    assert NAMES == found.models
    broken = [one for one in found.outcomes if one.result not in ("pass", "not_offered")]
    assert [] == [(one.rule, one.model, one.expected, one.reason, one.request, one.got) for one in broken]
    kept = {one.rule for one in found.outcomes if one.result == "pass"}
    assert {one.rule for one in found.outcomes} == kept
