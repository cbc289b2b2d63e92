"""What was sent and what came back during one check, in short: the evidence."""

from typing import NamedTuple

_LONGEST_EXCERPT = 300
_LONGEST_BODY = 160


class Step(NamedTuple):
    """One request and its answer, as text."""

    request: str
    got: str


class Trail:
    """The steps of the check under way."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def start(self) -> None:
        """A new check begins."""
        self._steps = []

    def add(self, request: str, got: str) -> None:
        """One step; requests that run beside each other may add theirs from several threads."""
        self._steps.append(Step(request, got))

    @property
    def last(self) -> Step:
        """The last step; empty texts when nothing was sent."""
        return self._steps[-1] if self._steps else Step("", "")


def excerpt(content: bytes, longest: int = _LONGEST_EXCERPT) -> str:
    """The beginning of a body as text on one line; what is no text is shown as its size."""
    text = content[:longest].decode("utf-8", "replace")
    if "\N{REPLACEMENT CHARACTER}" in text or "\0" in text:
        head, _, _ = text.partition("\0")
        head = head.partition("\N{REPLACEMENT CHARACTER}")[0]
        return f"{' '.join(head.split())} ... ({len(content):,} bytes)".strip()
    more = f" ... ({len(content):,} bytes)" if len(content) > longest else ""
    return " ".join(text.split()) + more


def short_request(verb: str, target: str, headers: dict[str, str], body: bytes) -> str:
    """A request on one line: verb, path, the headers that matter, and the beginning of its body."""
    shown = "".join(f" [{name}: {value}]" for name, value in headers.items())
    return f"{verb} {target}{shown} {excerpt(body, _LONGEST_BODY)}".strip()
