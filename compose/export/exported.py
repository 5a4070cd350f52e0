"""What the exports of all formats share: the file that is written, and what printing one shows."""

from __future__ import annotations

import os

from compose.atomic import replacing
from compose.export.proof import Report


class Exported:
    """An export as one file, with its proof, or None if that was left out."""

    report: Report | None

    def contents(self) -> bytes:
        """The bytes of the file."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """The format and the size, in one line."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike) -> None:
        """Write the file, weights included, atomically."""
        with replacing(path) as file:
            file.write(self.contents())

    def __repr__(self) -> str:
        return self.title + (f"\n{self.report}" if self.report else "")
