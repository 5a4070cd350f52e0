"""The HTTP application: the protocols' routes, metrics and pages, for any ASGI server."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from compose.serve import pages, predictions, repository
from compose.serve.bodies import Bodies
from compose.serve.body import write_json
from compose.serve.errors import ServeError
from compose.serve.metrics import CONTENT_TYPE, Metrics
from compose.serve.models import Models
from compose.serve.options import Options
from compose.serve.sources import Source

_BEARER = HTTPBearer(auto_error=False)


def app(sources: list[Source], options: Options, loaded: Callable[[], None] = lambda: None) -> FastAPI:
    """The application that serves these model files.

    It reads them at once, and compiles them when the server starts; until then it answers that it is not ready.

    Args:
        loaded: called, in a thread, after a model was compiled, and after another one was replaced.

    Raises `FileError` if a file is broken and there is no good copy of it, `ConfigError` for a network whose inputs or
    outputs the protocol has no datatype for.
    """
    metrics = Metrics()
    models = Models(sources, options, metrics.ran, metrics.reloaded, loaded)
    metrics.show(models)
    models.read()
    made = FastAPI(
        title="compose", description="Model files as a service.", lifespan=_lifespan(models),
        max_body_size=options.max_body,
        exception_handlers={ServeError: _refused, HTTPException: _http_error, Exception: _failed},
    )  # fmt: skip
    made.add_middleware(Bodies, most=options.max_bodies)
    made.state.models, made.state.metrics, made.state.options = models, metrics, options
    guard = [Depends(_token)] if options.tokens else []
    for router in (predictions.router, repository.router, pages.router):  # in the order in which paths are compared
        made.include_router(router, dependencies=guard)
    text = lambda: Response(metrics.text(), media_type=CONTENT_TYPE)
    made.add_api_route("/metrics", text, dependencies=guard, tags=["metrics"], summary="Prometheus's metrics")
    made.include_router(repository.health)
    made.include_router(pages.public)
    return made


def _lifespan(models: Models) -> Any:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        starting = asyncio.create_task(models.start())
        yield
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await models.close()

    return lifespan


async def _token(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
    """Ask for one of the tokens, without telling by the time how much of one was right."""
    found = "" if given is None else given.credentials
    tokens = request.app.state.options.tokens
    if not any([hmac.compare_digest(found.encode(), token.encode()) for token in tokens]):
        raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})


def _answer(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(write_json({"error": message}), status, headers, "application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServeError)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _answer(error.status, str(error), headers)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail, dict(error.headers or {}))


async def _failed(_: Request, error: Exception) -> Response:
    return _answer(500, "the prediction failed; the server's log says why")
