"""What the formats that hold the compiled program share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from compose.core.layer import Layer
from compose.export.errors import ExportError

BATCH = "batch"  # the name of the open batch size
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


@contextmanager
def compiling(net: Layer, batch: int | str) -> Iterator[None]:
    """In the block, programs have no paths of this machine, and what JAX cannot compile is an `ExportError`."""
    before = jax.config.jax_traceback_in_locations_limit  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    except ExportError:
        raise
    except (ValueError, TypeError, jax.errors.InconclusiveDimensionOperation) as e:
        first = next(iter(str(e).splitlines()), type(e).__name__)
        hint = "export it for a fixed batch size, as in batch=1" if batch == BATCH else ""
        raise ExportError("a network that compiles for these sizes", first, hint).locate(net) from e
    finally:
        jax.config.update("jax_traceback_in_locations_limit", before)
