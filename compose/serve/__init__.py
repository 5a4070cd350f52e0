"""Model files as an HTTP service: `compose serve`, `server` inside of Python, or `app` for another ASGI server.

It needs the packages of the extra `serve`.
"""

from importlib.util import find_spec

from compose.core.errors import ConfigError

for package in ("fastapi", "uvicorn", "prometheus_client"):
    if find_spec(package) is None:
        raise ConfigError(f"{package}: pip install 'compose-jax[serve]'")

from compose.serve.app import app  # noqa: E402
from compose.serve.options import Options  # noqa: E402
from compose.serve.server import run, server  # noqa: E402
from compose.serve.sources import source  # noqa: E402

__all__ = ["Options", "app", "run", "server", "source"]
