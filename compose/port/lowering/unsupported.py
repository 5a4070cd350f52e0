"""Operations without a rule, listed for the person who ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compose.core.errors import PortError


class NoValue(PortError):
    """An operation reads weights where its rule knows values.

    Attributes:
        sources: their names.
    """

    def __init__(self, message: str, *sources: str):
        super().__init__(message)
        self.sources = frozenset(sources)


def plain(error: PortError) -> PortError:
    """An error that another attempt would have answered, as people read it when there is none."""
    made = PortError(str(error))
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    return made


@dataclass(frozen=True)
class Missing:
    """An operation without a rule, the user's line or the node that needs it, and what to do instead."""

    operation: str
    where: str
    hint: str = ""


def refuse(missing: Sequence[Missing], partial: bool, example: str) -> None:
    """Raise `PortError` if something is missing: for the first, or with `partial` for all.

    Args:
        example: arguments of `port.rule` that would teach it.
    """
    if not missing:
        return
    rows: dict[tuple[str, str], list[str]] = {}
    for m in missing if partial else missing[:1]:
        rows.setdefault((m.operation, m.hint), []).append(m.where)
    lines = [
        f"  {operation} ({len(places)}×), first at {places[0]}{': ' + hint if hint else ''}"
        for (operation, hint), places in rows.items()
    ]
    teach = f"teach one: @compose.port.rule({example}), see docs/porting.md"
    raise PortError("\n".join(["operations with a rule; these have none:", *lines, teach]))
