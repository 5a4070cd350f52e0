"""What one call of `fit` asks for, with its arguments made ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compose.core.layer import Layer
from compose.train.named import UNNAMED, Names
from compose.train.regime import Regime
from compose.train.scoring import Scoring


@dataclass(frozen=True)
class Task:
    """A training to do.

    Attributes:
        net, inputs: the network and its abstract input.
        data, held_out: `Examples` or streams to train on and to validate with.
        scoring: the losses and metrics.
        update: the optax transformation.
        anew: whether the optimizer's state starts anew, since a schedule was made for these epochs.
        start: a `Trained`, a pair (params, state), or None.
        epochs: how many more.
        options: those of `fit`, for `Trained.session`.
        regime: penalties and averages.
        freeze: patterns of parameters to leave as they are.
        callbacks: those of `fit`.
        checkpoint: None, a folder, or a `checkpoint` with options.
        names: of the classes and columns.
    """

    net: Layer
    inputs: Any
    data: Any
    held_out: Any
    scoring: Scoring
    update: Any
    anew: bool
    start: Any
    epochs: int
    options: dict[str, Any]
    regime: Regime | None
    freeze: tuple[str, ...]
    callbacks: Sequence[Any]
    checkpoint: Any
    names: Names = UNNAMED
