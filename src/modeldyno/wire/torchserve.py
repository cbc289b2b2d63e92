"""The REST API of TorchServe: paths, and the list of its models.

Sources: https://docs.pytorch.org/serve/inference_api.html and https://docs.pytorch.org/serve/management_api.html. What
a model takes and gives is up to its handler; the API tells nothing of it.
"""

from urllib.parse import quote

import msgspec

from modeldyno.wire.errors import WireError

MANAGEMENT_PORT = 8081
"""Where a TorchServe lists its models, unless it was told otherwise."""
LIST_PATH = "/models?limit=100"


class _Listed(msgspec.Struct):
    name: str = msgspec.field(name="modelName")


class _Models(msgspec.Struct):
    models: list[_Listed]


def prediction_path(model: str) -> str:
    """Where predictions of a model's default version are asked for."""
    return f"/predictions/{quote(model, safe='')}"


def decode_models(body: bytes) -> list[str]:
    """The names in the answer to `GET /models` of the management API.

    Raises:
        WireError: it is not such an answer.
    """
    try:
        return [one.name for one in msgspec.json.decode(body, type=_Models).models]
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise WireError(f"not a list of models: {problem}") from problem
