"""Triton's extension `model_repository` in the gRPC form."""

from modeldyno.conformance.answer import demand
from modeldyno.conformance.endings import NotOfferedError
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.subject import Subject


def _index(subject: Subject) -> None:
    status, answer = subject.grpc.call("RepositoryIndex")
    if answer is None and "model_repository" not in subject.extensions:
        raise NotOfferedError(f"the server does not list model_repository, and answers {status}")
    demand(answer is not None, "the status OK", str(status))
    names = [one.name for one in answer.models]
    demand(subject.model in names, f"the model {subject.model!r} in the index", f"{names}")


RULES = (
    Rule(
        name="grpc.extensions.repository-lists-the-model",
        says="RepositoryIndex lists every model by its name",
        source="Triton, docs/protocol/extension_model_repository.md",
        severity="extension",
        transport="grpc",
        check=_index,
    ),
)
