"""`compose verify FOLDER`: whether a saved port still computes what its source did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ComposeError, FileError, PortError
from compose.port.ported import load as load_port

TOLERANCE = 1e-9  # relative, and of the largest number


def verify(place: Path) -> None:
    """Check the digests of a port's files, and its outputs and gradients in float64 against the recorded ones.

    Nothing in the folder is executed. Raises `FileError` for a damaged file, `PortError` if numbers differ.
    """
    folder = place if place.is_dir() else place.parent
    if not (folder / "golden.npz").is_file():
        raise FileError(f"{place}: not a saved port: there is no golden.npz, which `compose port ... --out` writes")
    port = load_port(folder)
    golden = _golden(folder / "golden.npz")
    try:
        differences = list(_compared(port, golden))
    except ComposeError:
        raise
    except (KeyError, TypeError, ValueError) as e:
        raise FileError(f"{folder / 'golden.npz'}: not a record of this port: {e}") from None
    failed = [name for name, size in differences if not size <= TOLERANCE]
    if failed:
        raise PortError(f"{folder}: {failed[0]} differs from the source's" + _more(len(failed) - 1))
    largest = max(size for _, size in differences)
    outputs = sum(name.startswith("output") for name, _ in differences)
    print(
        f"{folder}: {outputs} outputs and {len(differences) - outputs} gradients equal the source's, to {largest:.1e}"
    )


def _golden(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as held:
            return {name: held[name] for name in held.files}
    except Exception as e:  # a damaged file may raise anything
        raise FileError(f"{path}: cannot be read: {str(e).splitlines()[0] if str(e) else e!r}") from None


def _compared(port: Any, golden: dict[str, np.ndarray]) -> Any:
    """The name of every recorded output and gradient, and how far ours is from it."""
    with jax.enable_x64(True):
        wide = lambda tree: jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), tree)
        params, state = wide(port.params), wide(port.state)
        inputs = [golden[f"input {i}"] for i in range(int(golden["inputs"]))]
        forward = lambda params: jax.tree.leaves(port.net.apply(params, state, *inputs)[0])
        outputs, pull = jax.vjp(jax.jit(forward), params)
        for i, y in enumerate(outputs):
            yield f"output {i}", _distance(y, golden[f"output {i}"])
        (grads,) = pull([golden[f"cotangent {i}"] for i in range(len(outputs))])
        for path, g in jax.tree_util.tree_leaves_with_path(grads):
            name = "/".join(str(key.key) for key in path)
            projection = np.random.default_rng(list(name.encode())).normal(size=g.shape)
            yield f"gradient {name}", _distance(np.sum(np.asarray(g) * projection), golden[f"gradient {name}"])


def _distance(ours: Any, theirs: np.ndarray) -> float:
    """The largest difference, relative to the number or to the largest one, whichever is more."""
    ours = np.asarray(ours, float)
    if ours.shape != theirs.shape:
        return np.inf
    scale = max(1.0, float(np.max(np.abs(theirs), initial=0.0)))
    with np.errstate(invalid="ignore"):
        gap = np.abs(ours - theirs) / (scale + np.abs(theirs))
    gap = np.where((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)), 0.0, gap)
    return float(np.max(np.where(np.isnan(gap), np.inf, gap), initial=0.0))


def _more(count: int) -> str:
    return f", and {count} more" if count else ""
