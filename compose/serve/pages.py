"""The page for people at `/`, and what it asks for."""

from __future__ import annotations

import asyncio
import functools
from importlib.resources import files
from typing import Any

import jax
from fastapi import APIRouter, Request, Response

from compose.core.printing import source as source_text
from compose.serve.engine import Engine
from compose.serve.served import Served
from compose.summary.diagram import overview

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src blob: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

router, public = APIRouter(include_in_schema=False), APIRouter(include_in_schema=False)


@public.get("/")
async def page() -> Response:
    """The page: one file, which asks the service for everything else."""
    return Response(_page(), media_type="text/html", headers=HEADERS)


@router.get("/models")
async def cards(request: Request) -> list[dict[str, Any]]:
    """What the page shows of each model that is ready."""
    return [_card(served, served.engine) for served in request.app.state.models if served.engine is not None]


@router.get("/models/{name}/versions/{version}/diagram.svg")
async def drawn(request: Request, name: str, version: str) -> Response:
    """The network as an image."""
    engine, _ = request.app.state.models.find(name, version).current()
    svg = await asyncio.to_thread(_svg, engine.trained.net, engine.trained.inputs)
    return Response(svg, media_type="image/svg+xml", headers=HEADERS)


@functools.cache
def _page() -> bytes:
    return files("compose.serve").joinpath("page.html").read_bytes()


def _card(served: Served, engine: Engine) -> dict[str, Any]:
    trained = engine.trained
    return {
        "name": served.source.name,
        "version": served.source.version,
        "inputs": [slot.described() for slot in engine.inputs],
        "outputs": [slot.described() for slot in engine.outputs],
        "classes": list(trained.names.classes),
        "network": source_text(trained.net),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(trained.params)),
        "epochs": len(trained.history),
    }


@functools.lru_cache(maxsize=64)
def _svg(net: Any, inputs: Any) -> str:
    return overview(net, inputs).svg
