"""The wrapper most people write: lists in JSON in a plain function, which FastAPI calls on a thread.

Beside it the same in an async function, which keeps all other requests waiting while it computes, and an async function
on bytes, the fastest that there is.

It runs in its own environment (`fastapi.txt`): `MODEL=FILE uvicorn fastapi_app:app`.
"""

import os
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response  # type: ignore[import-not-found]
from one_thread import dtype_of, open_session, row_shape  # type: ignore[import-not-found]
from pydantic import create_model


def make_app(model: str) -> FastAPI:
    """Two endpoints around one session with one thread."""
    session = open_session(model)
    dtype, shape = dtype_of(session), row_shape(session)
    app = FastAPI()

    @app.post("/raw")  # type: ignore[untyped-decorator]
    async def raw(request: Request) -> Response:
        rows = np.frombuffer(await request.body(), dtype).reshape(shape)
        (answer,) = session.run(["y"], {"x": rows})
        return Response(answer.tobytes(), media_type="application/octet-stream")

    kind: Any = float
    for _ in shape:
        kind = list[kind]
    rows_model = create_model("Rows", x=(kind, ...))

    def answered(rows: Any) -> dict[str, Any]:
        (answer,) = session.run(["y"], {"x": np.array(rows.x, dtype)})
        return {"y": answer.tolist()}

    @app.post("/json")  # type: ignore[untyped-decorator]
    def json(rows: rows_model) -> dict[str, Any]:  # type: ignore[valid-type]
        return answered(rows)

    @app.post("/json-async")  # type: ignore[untyped-decorator]
    async def json_async(rows: rows_model) -> dict[str, Any]:  # type: ignore[valid-type]
        return answered(rows)

    return app


app = make_app(os.environ["MODEL"])
