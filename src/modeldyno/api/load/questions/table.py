"""Which protocol asks its questions how, in one place."""

from collections.abc import Callable, Mapping

from modeldyno.api.load.questions.ask import Ask, Questions
from modeldyno.api.load.questions.http import http_questions
from modeldyno.api.load.questions.in_process import in_process_questions
from modeldyno.api.load.questions.null import null_questions
from modeldyno.api.load.questions.openai import openai_questions
from modeldyno.api.load.questions.tf_serving import tf_serving_questions
from modeldyno.api.load.questions.torchserve import torchserve_questions
from modeldyno.api.load.questions.v2 import v2_questions
from modeldyno.errors import UsageError
from modeldyno.records.workload import ProtocolName


def _v2_grpc(url: str, ask: Ask) -> Questions:
    from modeldyno.api.load.questions.v2_grpc import v2_grpc_questions  # protobuf takes 30 ms

    return v2_grpc_questions(url, ask)


_QUESTIONS: Mapping[ProtocolName, Callable[[str, Ask], Questions]] = {
    "oip": lambda url, ask: v2_questions(url, ask, binary=True),
    "oip-json": lambda url, ask: v2_questions(url, ask, binary=False),
    "oip-grpc": _v2_grpc,
    "openai-chat": lambda url, ask: openai_questions(url, ask, endpoint="chat"),
    "openai-completions": lambda url, ask: openai_questions(url, ask, endpoint="completions"),
    "openai-embeddings": lambda url, ask: openai_questions(url, ask, endpoint="embeddings"),
    "tf-serving": tf_serving_questions,
    "torchserve": torchserve_questions,
    "http": http_questions,
    "in-process": in_process_questions,
    "null": null_questions,
}
_TENSORS = frozenset({"oip", "oip-json", "oip-grpc", "tf-serving"})
_MEANT_FOR: Mapping[str, tuple[str, frozenset[str]]] = {
    "check": ("--expected", _TENSORS | {"torchserve", "http"}),
    "distinct": ("--repeats", _TENSORS | {"in-process", "torchserve", "http"}),
    "lengths": ("--shape", _TENSORS | {"in-process"}),
    "templates": ("--request", frozenset({"http"})),
    "signature": ("--signature", frozenset({"tf-serving"})),
    "by_column": ("--tensor-format", frozenset({"tf-serving"})),
    "management_url": ("--management-url", frozenset({"torchserve"})),
}
"""Fields of `Ask` that not every protocol looks at: their option, and the protocols that do."""
PROTOCOLS: tuple[ProtocolName, ...] = tuple(_QUESTIONS)


def questions_for(url: str, ask: Ask) -> Questions:
    """How to ask the server at `url` what the user wants asked.

    Raises:
        TargetError: the server cannot be reached or does not offer the model.
        UsageError: the URL does not go with the protocol.
        InputError: data that cannot be read.
    """
    name = ask.protocol or ("http" if ask.templates else protocol_of(url))
    _refuse_what_means_nothing(name, ask)
    is_grpc = url.startswith(("grpc://", "grpcs://"))
    if is_grpc != (name == "oip-grpc"):
        wanted = "grpc:// or grpcs://" if name == "oip-grpc" else "http:// or https://"
        raise UsageError(f"{url} does not go with the protocol {name}", hint=f"give a URL that begins with {wanted}")
    if ask.prompts is not None and not name.startswith("openai-"):
        raise UsageError(f"the protocol {name} takes no prompts", hint="--protocol openai-chat")
    return _QUESTIONS[name](url.rstrip("/"), ask)


def protocol_of(url: str) -> ProtocolName:
    """The protocol that a URL means when none is named."""
    if url.startswith(("grpc://", "grpcs://")):
        return "oip-grpc"
    return "null" if url == "null:" else "oip"


def _refuse_what_means_nothing(protocol: ProtocolName, ask: Ask) -> None:
    """Refuse options that the protocol would not look at."""
    for field, (option, protocols) in _MEANT_FOR.items():
        if getattr(ask, field) and protocol not in protocols:
            raise UsageError(
                f"{option} means nothing to the protocol {protocol}",
                hint=f"it goes with {', '.join(sorted(protocols))}",
            )
