"""Random weights and cotangents for a proof, the same for the port and for its source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from compose.core.errors import ComposeError, PortError
from compose.port.ir.reference import Arrays


@contextlib.contextmanager
def proving(wanted: str, instead: str = "") -> Iterator[None]:
    """Raise `PortError` for any error of a framework in the `with` block: the proof wants a model that is `wanted`."""
    try:
        yield
    except ComposeError:
        raise
    except Exception as e:
        first = str(e).partition("\n")[0]
        raise PortError(f"{wanted}, for this proof, got {type(e).__name__}: {first}{instead}") from e


def cotangents(outputs: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Random numbers shaped as the outputs, complex for a complex one, the same on both sides."""
    rng = np.random.default_rng([seed, 7])
    draw = lambda o: rng.normal(size=o.shape)
    return [np.asarray(draw(o) + 1j * draw(o)) if o.dtype.kind == "c" else draw(o) for o in outputs]


def perturbed(arrays: Arrays, seed: int) -> Arrays:
    """Weights in float64, shifted at random: the zeros and ones of a new model hide mistakes.

    Variances are multiplied by 0.5 to 1.5, and positive arrays stay positive.
    """
    rng = np.random.default_rng([seed, 11])
    result = {}
    for name, array in arrays.items():
        float64 = np.asarray(array, np.float64)
        if name.endswith(("var", "variance")):
            result[name] = np.where(float64 > 0, float64, 1) * rng.uniform(0.5, 1.5, float64.shape)
            continue
        if float64.size and float64.min() > 0:
            result[name] = float64 * np.exp(0.1 * rng.normal(size=float64.shape))
            continue
        constant = float64.size == 0 or np.ptp(float64) == 0
        size = 0.1 if constant else 0.1 * float64.std()
        result[name] = float64 + size * rng.normal(size=float64.shape)
    return result
