"""What a `Trained` keeps of the `fit` that returned it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class _Kept:
    """The default of an option that `Trained.fit` and `Trained.evaluate` take from the last `fit`."""

    def __repr__(self) -> str:
        return "<as in the last fit>"


KEPT: Any = _Kept()


@dataclass(frozen=True)
class Session:
    """What resuming training needs besides the parameters. A model file keeps it with `optimizer=True`."""

    options: dict[str, Any]
    optimizer: Any
    optimizer_key: Any  # equal for an optimizer made anew with the same settings
    optimizer_state: Any
    steps: int
    scale: Any = None  # the loss scale, in float16
    rate: Any = None  # the factor on the learning rate that callbacks chose
    raw: Any = None  # the parameters that the optimizer changes, where `params` are their averages
    spread: bool = False  # whether several processes trained together


OF_A_LOSS = ("logits", "loss_weights")  # the options that another loss does not keep


def options_with(session: Session | None, loss: Any) -> dict[str, Any]:
    """The options of the last `fit`, with a loss; None for its own."""
    last = session.options if session else {}
    return last if loss is None or loss == last.get("loss") else without(last, *OF_A_LOSS)


def without(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """The other options."""
    return {name: value for name, value in options.items() if name not in names}
