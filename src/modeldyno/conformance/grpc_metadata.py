"""Health and metadata in the gRPC form of the protocol."""

from typing import Any

from modeldyno.conformance.answer import demand
from modeldyno.conformance.grpc_calls import (
    demand_refused,
)
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import grpc
from modeldyno.conformance.subject import UNKNOWN, Subject
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.v2_messages import message_class


def _live(subject: Subject) -> None:
    demand(subject.grpc.demand("ServerLive").live, "live = true", "live = false")


def _ready(subject: Subject) -> None:
    demand(subject.grpc.demand("ServerReady").ready, "ready = true", "ready = false")


def _model_ready(subject: Subject) -> None:
    request = message_class("ModelReadyRequest")(name=subject.model)
    demand(subject.grpc.demand("ModelReady", request).ready, "ready = true", "ready = false")


def _unknown_not_ready(subject: Subject) -> None:
    wire = subject.grpc
    status, answer = wire.call("ModelReady", message_class("ModelReadyRequest")(name=UNKNOWN))
    demand(answer is None or not answer.ready, "an error, or ready = false", f"{status} and ready = true")
    demand(status.code != GrpcStatus.UNIMPLEMENTED, "an answer about the model", str(status))


def _server_metadata(subject: Subject) -> None:
    answer = subject.grpc.demand("ServerMetadata")
    demand(bool(answer.name), "a name", "none")
    demand(bool(answer.version), "a version", "none")


def _metadata(subject: Subject) -> Any:
    return subject.grpc.demand("ModelMetadata", message_class("ModelMetadataRequest")(name=subject.model))


def _model_metadata(subject: Subject) -> None:
    answer = _metadata(subject)
    demand(answer.name == subject.model, f'the name "{subject.model}"', f"it is {answer.name!r}")
    demand(bool(answer.inputs) and bool(answer.outputs), "inputs and outputs", "some are missing")


def _metadata_agree(subject: Subject) -> None:
    _ = subject.http
    answer = _metadata(subject)
    for member, specs in (("inputs", subject.signature.inputs), ("outputs", subject.signature.outputs)):
        there = [(one.name, one.datatype, list(one.shape)) for one in getattr(answer, member)]
        here = [(spec.name, spec.datatype, spec.wire_shape) for spec in specs]
        demand(there == here, f"the {member} of the HTTP form, {here}", f"{there}")


def _unknown_metadata(subject: Subject) -> None:
    status, _ = subject.grpc.call("ModelMetadata", message_class("ModelMetadataRequest")(name=UNKNOWN))
    demand_refused(status.code, str(status))


RULES = (
    Rule(
        name="grpc.server-live",
        says="ServerLive answers live = true",
        source=grpc("Server Live"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_live,
    ),
    Rule(
        name="grpc.server-ready",
        says="ServerReady answers ready = true while all models are ready",
        source=grpc("Server Ready"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_ready,
    ),
    Rule(
        name="grpc.server-metadata",
        says="ServerMetadata answers with name and version",
        source=grpc("Server Metadata"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_server_metadata,
    ),
    Rule(
        name="grpc.model-ready",
        says="ModelReady answers ready = true for a model that is served",
        source=grpc("Model Ready"),
        severity="required",
        transport="grpc",
        check=_model_ready,
    ),
    Rule(
        name="grpc.unknown-model-is-not-ready",
        says="ModelReady answers an error or ready = false for a model that is not there",
        source=grpc("Model Ready"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_unknown_not_ready,
    ),
    Rule(
        name="grpc.model-metadata",
        says="ModelMetadata answers with the name, the inputs and the outputs of the model",
        source=grpc("Model Metadata"),
        severity="required",
        transport="grpc",
        check=_model_metadata,
    ),
    Rule(
        name="grpc.metadata-agree-with-http",
        says="the metadata are those of the HTTP form",
        source=grpc("Model Metadata"),
        severity="required",
        transport="grpc",
        check=_metadata_agree,
    ),
    Rule(
        name="grpc.metadata-of-an-unknown-model-are-refused",
        says="ModelMetadata answers an error for a model that is not there",
        source=grpc("Model Metadata"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_unknown_metadata,
    ),
)
