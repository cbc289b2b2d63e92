"""Which protocol asks its questions how, in one place."""

from collections.abc import Callable, Mapping

from modeldyno.api.questions.ask import Ask, Questions
from modeldyno.api.questions.in_process import in_process_questions
from modeldyno.api.questions.null import null_questions
from modeldyno.api.questions.v2 import v2_questions
from modeldyno.errors import UsageError
from modeldyno.records.workload import ProtocolName

_QUESTIONS: Mapping[ProtocolName, Callable[[str, Ask], Questions]] = {
    "oip": lambda url, ask: v2_questions(url, ask, binary=True),
    "oip-json": lambda url, ask: v2_questions(url, ask, binary=False),
    "in-process": in_process_questions,
    "null": null_questions,
}
PROTOCOLS: tuple[ProtocolName, ...] = tuple(_QUESTIONS)


def questions_for(url: str, ask: Ask) -> Questions:
    """How to ask the server at `url` what the user wants asked.

    Raises:
        TargetError: the server cannot be reached or does not offer the model.
        UsageError: the URL does not go with the protocol.
        InputError: data that cannot be read.
    """
    name = ask.protocol or protocol_of(url)
    is_grpc = url.startswith(("grpc://", "grpcs://"))
    if is_grpc != (name == "oip-grpc"):
        wanted = "grpc:// or grpcs://" if name == "oip-grpc" else "http:// or https://"
        raise UsageError(f"{url} does not go with the protocol {name}", hint=f"give a URL that begins with {wanted}")
    return _QUESTIONS[name](url.rstrip("/"), ask)


def protocol_of(url: str) -> ProtocolName:
    """The protocol that a URL means when none is named."""
    if url.startswith(("grpc://", "grpcs://")):
        return "oip-grpc"
    return "null" if url == "null:" else "oip"
