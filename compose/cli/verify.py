"""`compose verify FOLDER`: whether a saved port still computes what its source did."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compose.core.errors import ComposeError, FileError, PortError
from compose.port.bundle.golden import compared
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
        differences = list(compared(port, golden))
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


def _more(count: int) -> str:
    return f", and {count} more" if count else ""
