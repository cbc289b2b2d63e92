"""Which models an OpenAI-compatible server lists."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.caller import Caller


def prefix_of(url: str) -> str:
    """What comes between a base URL and the endpoint: `/v1`, unless the URL ends with it, as those of clients do."""
    return "" if urlsplit(url).path.rstrip("/").endswith("/v1") else "/v1"


def listed_model(url: str, access: Access | None = None) -> str:
    """The name of the server's model, when it lists exactly one.

    Raises:
        TargetError: the server cannot be reached or does not list its models.
        UsageError: it lists several.
    """
    reply = Caller(url, access).call("GET", f"{prefix_of(url)}/models")
    document = reply.document()
    entries = document.get("data") if isinstance(document, Mapping) else None
    if reply.status != 200 or not isinstance(entries, list):
        raise TargetError(
            f"{url} does not list its models as an OpenAI-compatible server does",
            why=f"GET {prefix_of(url)}/models: status {reply.status}",
            hint="give a key (--bearer-file FILE)" if reply.status in (401, 403) else "name one with --model NAME",
        )
    names = sorted({str(one["id"]) for one in entries if isinstance(one, Mapping) and "id" in one})
    if len(names) != 1:
        shown = f": {', '.join(names[:20])}" if names else ""
        raise UsageError(f"{url} lists {len(names)} models{shown}", hint="choose one with --model NAME")
    return names[0]
