"""KServe's server, with a bound on bodies and no status 500 for a request that cannot be read."""

from __future__ import annotations

from typing import Any

from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from compose.core.errors import ConfigError
from compose.serve.bodies import Bodies
from compose.serve.kserve.package import kserve
from compose.serve.options import TOKENS, Options


def server(options: Options, **more: Any) -> Any:
    """A `kserve.ModelServer`, to `start` with `models`; it listens on every address, and not only on this machine's.

    Args:
        options: `max_body` and `max_bodies` bound the requests over REST.
        more: what `kserve.ModelServer` takes, such as `http_port` and `grpc_port`.

    Raises `ConfigError` for tokens, which KServe leaves to the gateway, and for several workers, which would be
    processes without the models.
    """
    if options.tokens:
        raise ConfigError("tokens to be asked for by the gateway before KServe's server", f"{TOKENS}")
    module, dataplane, errors = kserve("model_server"), kserve("protocol.dataplane"), kserve("errors")

    class DataPlane(dataplane.DataPlane):
        def decode(self, *args: Any, **more: Any) -> Any:
            """KServe's, whose parsers raise whatever they meet in a body that is not what it says."""
            try:
                return super().decode(*args, **more)
            except errors.InvalidInput:
                raise
            except Exception as e:
                raise errors.InvalidInput(f"not a request for a prediction: {type(e).__name__}") from e

    made = module.ModelServer(**more)
    if made.workers > 1:
        raise ConfigError("one worker, which runs requests together", f"{made.workers}")
    made.dataplane = DataPlane(made.registered_models)
    module.app.add_middleware(Bodies, most=options.max_bodies)
    module.app.add_middleware(RequestBodyLimitMiddleware, max_body_size=options.max_body)
    return made
