"""The routes that tell which models there are, and which are ready."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from compose.serve import v1, v2
from compose.serve.errors import ServeError
from compose.serve.models import Models
from compose.serve.served import Served
from compose.train.file import version as package_version

router, health = APIRouter(tags=["models"]), APIRouter(tags=["health"])

_STATES = {"LOADING": "LOADING", "READY": "AVAILABLE", "UNAVAILABLE": "END"}  # in TensorFlow Serving's words


@health.get("/v2/health/live")
async def live() -> dict[str, bool]:
    """Whether the server runs."""
    return {"live": True}


@health.get("/v2/health/ready")
async def ready(request: Request) -> dict[str, bool]:
    """Whether every model answers; status 503 until then."""
    if not _models(request).ready:
        raise ServeError(503, "not every model is ready", 1)
    return {"ready": True}


@router.get("/v2")
async def server() -> dict[str, Any]:
    """The server and the extensions of the protocol that it knows."""
    return {"name": "compose", "version": package_version(), "extensions": list(v2.EXTENSIONS)}


@router.post("/v2/repository/index")
async def index(request: Request) -> list[dict[str, str]]:
    """Every version of every model."""
    return [
        {"name": s.source.name, "version": s.source.version, "state": s.state, "reason": ""} for s in _models(request)
    ]


@router.get("/v2/models/{name}")
@router.get("/v2/models/{name}/versions/{version}")
async def metadata(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """The inputs and outputs of a model."""
    served = _models(request).find(name, version)
    engine, _ = served.current()
    return {
        "name": name,
        "versions": _models(request).versions(name) if version is None else [version],
        "platform": "jax",
        "inputs": [slot.described() for slot in engine.inputs],
        "outputs": [slot.described() for slot in engine.outputs],
    }


@router.get("/v2/models/{name}/ready")
@router.get("/v2/models/{name}/versions/{version}/ready")
async def model_ready(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """Whether a model answers; status 503 until then."""
    served = _models(request).find(name, version)
    served.current()
    return {"name": name, "ready": True}


@router.get("/v1/models/{name}")
@router.get("/v1/models/{name}/versions/{version}")
async def status(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """TensorFlow Serving's status of a model."""
    models = _models(request)
    names = models.versions(name) if version is None else [version]
    return {"model_version_status": [_status(models.find(name, v)) for v in reversed(names)]}


@router.get("/v1/models/{name}/metadata")
@router.get("/v1/models/{name}/versions/{version}/metadata")
async def signature(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """TensorFlow Serving's description of a model's inputs and outputs."""
    served = _models(request).find(name, version)
    engine, _ = served.current()
    return v1.metadata(name, served.source.version, engine.inputs, engine.outputs)


def _models(request: Request) -> Models:
    return request.app.state.models


def _status(served: Served) -> dict[str, Any]:
    ok = served.state != "UNAVAILABLE"
    return {
        "version": served.source.version,
        "state": _STATES[served.state],
        "status": {"error_code": "OK" if ok else "INTERNAL", "error_message": ""},
    }
