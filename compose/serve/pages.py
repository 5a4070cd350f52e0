"""The page for people at `/`, and what it asks for."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jax
from fastapi import APIRouter, Request, Response

from compose.core.printing import source as source_text
from compose.serve.engine import Engine
from compose.serve.served import Served
from compose.summary.diagram import overview

if TYPE_CHECKING:
    from compose.data.columns import Column

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
        "inputs": [slot.described() | form for slot, form in zip(engine.inputs, _forms(engine))],
        "outputs": [slot.described() for slot in engine.outputs],
        "classes": list(trained.names.classes),
        "target": None if trained.names.columns is None else trained.names.columns.target.name,
        "network": source_text(trained.net),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(trained.params)),
        "epochs": len(trained.history),
    }


def _forms(engine: Engine) -> list[dict[str, Any]]:
    """The columns of each input, if the model was trained on a table: those of numbers, then those of words."""
    columns, nothing = engine.trained.names.columns, [{} for _ in engine.inputs]
    if columns is None:
        return nothing
    kinds = [("f", columns.numbers), ("iu", columns.categories)]
    parts = [(kind, part) for kind, part in kinds if part]
    fits = len(parts) == len(engine.inputs) and all(
        slot.shape == (len(part),) and slot.dtype.kind in kind for slot, (kind, part) in zip(engine.inputs, parts)
    )
    if not fits:  # the network was changed since, or the columns are not all that it takes
        return nothing
    return [{"columns": _fields(part)} for _, part in parts]


def _fields(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """What is asked for each column: a number, or one of some words, the codes of which begin at `first`."""
    fields, first = [], 0
    for column in columns:
        fields.append({"name": column.name, "words": list(column.words), "first": first, "fill": column.fill})
        first += len(column.words)
    return fields


@functools.lru_cache(maxsize=64)
def _svg(net: Any, inputs: Any) -> str:
    return overview(net, inputs).svg
