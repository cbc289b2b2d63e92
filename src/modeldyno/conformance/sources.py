"""Where the rules come from: document and section.

The specification is at https://github.com/kserve/open-inference-protocol, Triton's documents are at
https://github.com/triton-inference-server/server, the RFCs at https://www.rfc-editor.org.
"""


def rest(section: str) -> str:
    """A section of the HTTP form of the specification."""
    return f"specification/protocol/inference_rest.md, {section}"


def grpc(section: str) -> str:
    """A section of the gRPC form of the specification."""
    return f"specification/protocol/inference_grpc.md, {section}"


def triton(document: str) -> str:
    """A document of Triton's protocol extensions."""
    return f"Triton, docs/protocol/{document}.md"


def rfc(number: int, section: str) -> str:
    """A section of an RFC."""
    return f"RFC {number}, section {section}"


OPEN_QUESTION = "not in the specification; what Triton, its reference server, does (src/http_server.cc)"
"""Of rules that the specification leaves open."""
