"""Over-fitting shown and cured: 200 digits, a network that is far too large for them, and what helps.

    python examples/overfitting.py                     writes overfitting.png and cured.png

The first training learns its examples by heart: the training loss goes to 0 while the validation loss turns and rises.
The second stops early; the third has dropout and augmentation too. It prints

    by heart           training loss 0.001, validation loss 0.358 (lowest 0.294 in epoch 14), accuracy 0.928
    stopped early      training loss 0.035, validation loss 0.294 (lowest 0.294 in epoch 14), accuracy 0.931
    cured              training loss 0.251, validation loss 0.217 (lowest 0.217 in epoch 42), accuracy 0.939
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from compose import (
    callbacks,
    compose_seq,
    data,
    dropout,
    fc,
    flatten,
    random_rotation,
    random_translation,
    relu,
    softmax,
)

large = (fc(512, relu), fc(512, relu))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Show over-fitting and cure it.")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args(arguments)

    train, test = data.digits().split(seed=0)
    few = dict(x=train.x[:200], y=train.y[:200], validation=(test.x, test.y), epochs=args.epochs)
    options: dict[str, Any] = dict(
        loss="cross_entropy", metrics="accuracy", optimizer="adam", learning_rate=1e-3, verbose=False
    )
    plain = compose_seq(flatten, *large, fc(10, softmax))
    cured = compose_seq(
        random_translation(0.08, "constant"), random_rotation(0.03, "constant"), flatten,
        large[0], dropout(0.3), large[1], dropout(0.3), fc(10, softmax),
    )  # fmt: skip
    stopping = callbacks.early_stopping("val_loss", patience=10)

    by_heart = show("by heart", plain.fit(**few, **options))
    show("stopped early", plain.fit(**few, **options, callbacks=[stopping]), best=True)
    healthy = show("cured", cured.fit(**few, **options, callbacks=[stopping]), best=True)
    by_heart.plot(args.out / "overfitting.png")
    healthy.plot(args.out / "cured.png")


def show(title: str, trained: Any, best: bool = False) -> Any:
    """Print the last epoch, or the one whose parameters early stopping gave back."""
    lowest = min(trained.history, key=lambda row: row["val_loss"])
    row = lowest if best else trained.history[-1]
    print(
        f"{title:<18} training loss {row['loss']:.3f}, validation loss {row['val_loss']:.3f} "
        f"(lowest {lowest['val_loss']:.3f} in epoch {lowest['epoch']:.0f}), accuracy {row['val_accuracy']:.3f}"
    )
    return trained


if __name__ == "__main__":
    main()
