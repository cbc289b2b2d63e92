"""TorchServe: whole bodies, files or rows as JSON, to a model that tells nothing of what it takes."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from modeldyno.api.load.questions.ask import DISTINCT_BYTES, Ask, Prepared, Questions
from modeldyno.api.load.questions.expectations import answers_of_server, documents_of_rows, expectations
from modeldyno.data.bodies import count_bodies, read_bodies
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.caller import Caller
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.records.files import digest_bytes
from modeldyno.wire.errors import WireError
from modeldyno.wire.torchserve import LIST_PATH, MANAGEMENT_PORT, decode_models, prediction_path


def torchserve_questions(url: str, ask: Ask) -> Questions:
    """Find the model by the management API, unless it is named.

    Raises:
        UsageError: there are no data, or several models.
        TargetError: the models cannot be listed.
    """
    if ask.data is None:
        raise UsageError(
            "a TorchServe tells nothing of what its models take", hint="--data FOLDER with bodies, or a table of rows"
        )
    model = ask.model or _only_model(ask.management_url or management_url(url), ask)
    path = Path(ask.data)

    def make(sizes: Sequence[int], seed: int) -> Prepared:  # noqa: ARG001 - the signature of `Questions.make`
        if set(sizes) != {1}:
            raise UsageError("a request to a TorchServe holds one row of the data", hint="leave out --rows")
        bodies = read_bodies(path, most=ask.most_requests, most_bytes=DISTINCT_BYTES)
        requests = [
            PreparedRequest(one.content, (("Content-Type", one.media_type),), 1, prediction_path(model))
            for one in bodies
        ]
        check = ask.check
        expected = []
        if ask.is_checked_against_server:
            expected = answers_of_server(Caller(url, ask.access), requests, None)
        elif check is not None:
            expected = documents_of_rows(check, range(len(bodies)), count_bodies(path))
        return Prepared(
            requests=requests,
            expectations=expectations(check, expected) if check is not None else None,
            digest=digest_bytes(b"".join(one.content for one in bodies)),
            description=f"{path.name}: {len(bodies):,} {'body' if len(bodies) == 1 else 'bodies'}",
        )

    return Questions(protocol="torchserve", model=model, wiring=Wiring(reader="plain", access=ask.access), make=make)


def management_url(url: str) -> str:
    """Where the management API of a TorchServe is, unless it was told otherwise: the same host, port 8081."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{MANAGEMENT_PORT}"


def _only_model(url: str, ask: Ask) -> str:
    hint = "name the model with --model NAME, or where its models are listed with --management-url URL"
    try:
        reply = Caller(url, ask.access).call("GET", LIST_PATH)
        names = decode_models(reply.body)
    except TargetError as problem:
        raise TargetError(
            f"the models of the TorchServe cannot be listed at {url}", why=problem.why or problem.what, hint=hint
        ) from problem
    except WireError as problem:
        raise TargetError(f"{url} is not the management API of a TorchServe", why=problem.message, hint=hint) from (
            problem
        )
    if len(names) != 1:
        offered = f": {', '.join(names)}" if names else ""
        raise UsageError(f"{url} lists {len(names)} models{offered}", hint="choose one with --model NAME")
    return names[0]
