"""Write files atomically: a path holds either the old or the new content, never a part of it."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A temporary file that replaces `path` when the block ends, and is deleted if the block raises.

    It is created in the same folder. Symbolic links and the permissions of an existing file are kept. Raises
    `PermissionError` if the existing file is write-protected.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected", str(path))
    draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with _new(draft, path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(draft, stat.S_IMODE(target.stat().st_mode))
        os.replace(draft, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise
    _sync_folder(target.parent)


def _new(draft: Path, path: str | os.PathLike) -> BinaryIO:
    """The temporary file; errors name the path that was asked for."""
    try:
        return open(draft, "xb")
    except OSError as e:
        raise OSError(e.errno, e.strerror, str(path)) from None


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, where the platform can."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
