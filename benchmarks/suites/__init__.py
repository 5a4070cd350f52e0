"""What a suite of models to port is: a module here with `cases()`, which `benchmarks/port_suites.py` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One model to port.

    Attributes:
        name: `"Conv2d/3"`: the group that the tables count by, and what tells its cases apart. It must be the same in
            each run.
        port: makes the model and returns its `Ported`; it raises `PortError` for one that is refused, and `NoModel`
            where the source itself cannot make or run it.
        level: of the proof.
        tolerance: of the proof, where the source itself is less precise.
    """

    name: str
    port: Callable[[], Any]
    level: str = "gradients"
    tolerance: float = 1e-10

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]


class NoModel(Exception):
    """The source cannot make or run a case's model; the case is not counted."""
