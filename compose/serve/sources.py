"""Model files by name and version, as the command line gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compose.core.errors import ConfigError

_NAME, _VERSION = r"[A-Za-z0-9][\w.-]{0,99}", r"[A-Za-z0-9][\w.-]{0,29}"


@dataclass(frozen=True)
class Source:
    """A model file, and the name and version under which it is served."""

    name: str
    version: str
    path: Path

    @property
    def file(self) -> Path:
        """The model file; of a port in a folder, its weights."""
        return self.path / "weights.safetensors" if self.path.is_dir() else self.path

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def source(text: str) -> Source:
    """The source in `FILE`, `NAME=FILE` or `NAME@VERSION=FILE`.

    Without a name it is the file's, without a version it is 1. Raises `ConfigError`.
    """
    found = re.fullmatch(rf"({_NAME})(?:@({_VERSION}))?=(.+)", text, re.ASCII)
    if found is not None:
        return Source(found[1], found[2] or "1", Path(found[3]))
    name = Path(text).resolve().name.removesuffix(".safetensors")
    if re.fullmatch(_NAME, name, re.ASCII) is None:
        raise ConfigError("NAME=FILE for a file whose name is not letters, digits, '.', '_' and '-'", repr(text))
    return Source(name, "1", Path(text))


def sources(texts: Sequence[str]) -> list[Source]:
    """The sources in these texts. Raises `ConfigError` if two have the same name and version."""
    found: dict[tuple[str, str], Source] = {}
    for text in texts:
        made = source(text)
        if (made.name, made.version) in found:
            raise ConfigError("models with different names or versions, as in NAME@VERSION=FILE", f"two of {made}")
        found[made.name, made.version] = made
    return list(found.values())


def age(version: str) -> list[tuple[int, int, str]]:
    """A key by which versions sort: numbers in them count as numbers, so that 10 is newer than 9."""
    parts = re.findall(r"\d+|\D+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
