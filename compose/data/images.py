"""MNIST and Fashion-MNIST: from a local folder, the cache, or a download, verified by SHA-256."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compose.cache import cache_folder
from compose.core.errors import DataError
from compose.data.dataset import Dataset, Split
from compose.data.download import fetch
from compose.data.idx import read_idx

__all__ = ["fashion_mnist", "mnist"]


@dataclass(frozen=True)
class Part:
    """One of the four files: its name, its shape, and the SHA-256 of its uncompressed content."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        return 4 + 4 * len(self.shape) + int(np.prod(self.shape))


@dataclass(frozen=True)
class Source:
    """A data set of four files: training images and labels, then test images and labels."""

    title: str
    folder: str
    names: tuple[str, ...]
    mirrors: tuple[str, ...]
    parts: tuple[Part, ...]
    installed: tuple[str, ...] = ()
    advice: str = ""


def _parts(*sha256: str) -> tuple[Part, ...]:
    files = (
        ("train-images-idx3-ubyte", (60_000, 28, 28)),
        ("train-labels-idx1-ubyte", (60_000,)),
        ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
        ("t10k-labels-idx1-ubyte", (10_000,)),
    )
    return tuple(Part(name, shape, digest) for (name, shape), digest in zip(files, sha256, strict=True))


MNIST = Source(
    "MNIST",
    "mnist",
    tuple("0123456789"),
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    _parts(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    advice="data.digits() needs no download",
)

FASHION = Source(
    "Fashion-MNIST",
    "fashion-mnist",
    ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    _parts(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    installed=("/usr/share/datasets/fashion-mnist",),
    advice="on Debian, apt install dataset-fashion-mnist",
)


def mnist(folder: str | os.PathLike | None = None, *, download: bool = True) -> Split:
    """70,000 handwritten digits of 28 by 28 pixels, 10,000 of them for testing (LeCun et al., 1998).

    Args:
        folder: the folder of its four IDX files, raw or gzipped; None searches `$COMPOSE_DATA/mnist`,
            `$COMPOSE_DATA` itself and the cache (`COMPOSE_CACHE`).
        download: download it into the cache if it is not found.

    Raises `DataError` if it cannot be found or downloaded, or does not match MNIST's SHA-256.
    """
    return load(MNIST, folder, download)


def fashion_mnist(folder: str | os.PathLike | None = None, *, download: bool = True) -> Split:
    """70,000 images of clothes of 28 by 28 pixels, in MNIST's format (Xiao et al., 2017, arXiv:1708.07747).

    Arguments as for `mnist`, with `$COMPOSE_DATA/fashion-mnist`. Debian's package dataset-fashion-mnist is found too.
    """
    return load(FASHION, folder, download)


def find(source: Source) -> Path | None:
    """The first folder that has the four files, or None.

    `$COMPOSE_DATA` itself is used only if its labels are those of this data set.
    """
    root = os.environ.get("COMPOSE_DATA")
    base = Path(root).expanduser() if root else None
    named = [base / source.folder] if base else []
    for folder in (*named, *map(Path, source.installed), cache_folder() / source.folder):
        if _complete(source, folder):
            return folder
    return base if base and _complete(source, base) and _is(source.parts[3], base) else None


def load(source: Source, folder: str | os.PathLike | None, download: bool) -> Split:
    """See `mnist`."""
    if folder is not None:
        found = Path(folder)
        missing = [p.name for p in source.parts if _file(p, found) is None]
        if missing:
            raise DataError(f"{found}: no {missing[0]} here, raw or with .gz; {source.title} consists of four files")
    else:
        found = find(source) or _downloaded(source, download)
    arrays = [_checked(part, found, source.title) for part in source.parts]
    halves = (arrays[:2], arrays[2:])
    return Split(*(Dataset(x[..., None] / np.float32(255), y.astype(np.int32), source.names) for x, y in halves))


def _downloaded(source: Source, allowed: bool) -> Path:
    remedy = (
        f"put the four files {', '.join(p.name + '.gz' for p in source.parts)} into a folder "
        f"{source.folder} and set COMPOSE_DATA to its parent folder; {source.advice}"
    )
    if not allowed:
        raise DataError(f"{source.title} is not on this computer, and download=False; {remedy}")
    target = cache_folder() / source.folder
    try:
        target.mkdir(parents=True, exist_ok=True)
        for part in source.parts:
            if _file(part, target) is None:
                name = part.name + ".gz"
                fetch(name, source.mirrors, target / name, part.sha256, part.size)
    except (DataError, OSError) as e:
        raise DataError(f"{source.title} is not on this computer and cannot be downloaded ({e}); {remedy}") from None
    return target


def _file(part: Part, folder: Path) -> Path | None:
    return next((f for f in (folder / part.name, folder / f"{part.name}.gz") if f.is_file()), None)


def _complete(source: Source, folder: Path) -> bool:
    return all(_file(part, folder) for part in source.parts)


def _is(part: Part, folder: Path) -> bool:
    try:
        _checked(part, folder, "")
    except DataError:
        return False
    return True


def _checked(part: Part, folder: Path, title: str) -> np.ndarray:
    path = _file(part, folder)
    assert path is not None
    array = read_idx(path, part.shape)
    digest = hashlib.sha256(bytes((0, 0, 8, array.ndim)))  # the header, which read_idx has consumed
    digest.update(b"".join(n.to_bytes(4, "big") for n in array.shape))
    digest.update(array.data)
    if digest.hexdigest() != part.sha256:
        raise DataError(
            f"{path}: not the {part.name} of {title}: its SHA-256 differs; replace it, or delete it to download it"
        )
    return array
