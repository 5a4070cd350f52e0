"""Model files as models of KServe's server, over REST and gRPC.

`python -m compose.serve.kserve` is the program of a serving runtime; `models` and `server` are its parts, for a program
of your own. It needs the packages of the extra `kserve`.
"""

from compose.serve.kserve.models import models
from compose.serve.kserve.server import server

__all__ = ["models", "server"]
