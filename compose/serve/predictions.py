"""The routes that predict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from compose.serve import v1, v2
from compose.serve.engine import Engine
from compose.serve.errors import ServeError
from compose.serve.served import Served

LONG = 64 << 10  # bytes of a message that is read and written in a thread, so that the event loop stays free

router = APIRouter(tags=["predictions"])


def _says(model: Any, *path: str) -> dict[str, Any]:
    """What the OpenAPI page says about the path and the body, which the route reads by itself to be quick."""
    body = {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}
    word = {"in": "path", "required": True, "schema": {"type": "string"}}
    return {"requestBody": body, "parameters": [{"name": name, **word} for name in path]}


@router.post("/v2/models/{name}/infer", openapi_extra=_says(v2.InferRequest, "name"))
@router.post("/v2/models/{name}/versions/{version}/infer", openapi_extra=_says(v2.InferRequest, "name", "version"))
async def infer(request: Request) -> Response:
    """Predict: the Open Inference Protocol, with tensors as JSON or as bytes."""
    served = _asked(request)
    header = request.headers.get(v2.HEADER)

    def read(engine: Engine, body: bytes) -> v2.Asked:
        return v2.read(body, header, engine.inputs, engine.outputs)

    def write(engine: Engine, asked: v2.Asked, arrays: Any) -> Response:
        body, size = v2.write(asked, served.source.name, served.source.version, engine.outputs, arrays)
        if size is None:
            return Response(body, media_type="application/json")
        return Response(body, media_type="application/octet-stream", headers={v2.HEADER: str(size)})

    return await _predicted(request, served, read, write)


@router.post("/v1/models/{name}:predict", openapi_extra=_says(v1.PredictRequest, "name"))
@router.post("/v1/models/{name}/versions/{version}:predict", openapi_extra=_says(v1.PredictRequest, "name", "version"))
async def predict(request: Request) -> Response:
    """Predict: TensorFlow Serving's form, with `instances` or `inputs`."""

    def read(engine: Engine, body: bytes) -> v1.Asked:
        return v1.read(body, engine.inputs)

    def write(engine: Engine, asked: v1.Asked, arrays: Any) -> Response:
        return Response(v1.write(asked, engine.outputs, arrays), media_type="application/json")

    return await _predicted(request, _asked(request), read, write)


def _asked(request: Request) -> Served:
    path = request.path_params
    return request.app.state.models.find(path["name"], path.get("version"))


async def _predicted(
    request: Request,
    served: Served,
    read: Callable[[Engine, bytes], Any],
    write: Callable[[Engine, Any, Any], Response],
) -> Response:
    """Read the body, run, write the answer; counted by its status."""
    start, status = time.perf_counter(), 500
    try:
        served.current()[1].check()  # under overload, refused requests must cost little
        body = await _whole(request)
        start = time.perf_counter()
        engine, asked, arrays = await _run(served, read, body)
        response = await _aside(sum(a.nbytes for a in arrays), write, engine, asked, arrays)
        status = response.status_code
        return response
    except (ServeError, HTTPException) as e:
        status = e.status if isinstance(e, ServeError) else e.status_code
        raise
    finally:
        request.app.state.metrics.asked(served.source, status, time.perf_counter() - start)


async def _run(served: Served, read: Callable[[Engine, bytes], Any], body: bytes) -> tuple[Engine, Any, Any]:
    """The engine that answers, what was asked of it, and its outputs."""
    while True:
        engine, batcher = served.current()
        asked = await _aside(len(body), read, engine, body)
        if batcher is served.batcher:  # else the model was reloaded while a thread read the body
            return engine, asked, await served.run(engine, batcher, asked.arrays)


async def _whole(request: Request) -> bytes:
    """The body. Raises `ServeError` if it is compressed or comes too slowly."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise ServeError(415, "Content-Encoding: bodies are taken as they are, not compressed")
    try:
        async with asyncio.timeout(request.app.state.options.body_timeout):
            return await request.body()
    except TimeoutError:
        raise ServeError(408, "the body came too slowly") from None
    except ClientDisconnect:
        raise ServeError(400, "the body ended early") from None


def _aside(size: int, work: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    """Do it here if it is short, else in a thread."""
    if size > LONG:
        return asyncio.to_thread(work, *args)
    return _at_once(work, *args)


async def _at_once(work: Callable[..., Any], *args: Any) -> Any:
    return work(*args)
