"""A Siamese network: one encoder for both images of a pair, trained to put digits of a kind near each other.

    python examples/siamese.py

`share` uses the encoder twice with the same parameters; the contrastive loss (Hadsell et al., 2006) pulls pairs of one
kind together and pushes others apart. The encoder never sees the digits 8 and 9 in training. It prints

    distance of test pairs: 0.14 of one kind, 1.17 of two
    pairs told apart at 0.5: 99.4 %
    pairs of the unseen digits 8 and 9 told apart: 64.6 %
"""

from __future__ import annotations

import argparse

import numpy as np

from compose import compose_seq, conv, data, fc, flatten, parallel, relu, share

MIDDLE = 0.5  # between the distance 0 of one kind and the margin 1 of two


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a Siamese network on pairs of digits.")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args(arguments)

    train, test = data.digits().split(test=0.3, seed=0)
    encoder = compose_seq(conv(16, 3, relu), flatten, fc(64, relu), fc(8))
    net = share(encoder, lambda e: parallel(e, e))
    left, right, same = pairs(train, range(8), 20_000)
    trained = net.fit(
        (left, right), same, loss="contrastive", learning_rate=1e-3, epochs=args.epochs, batch_size=128, verbose=False
    )

    apart, same = distances(trained, *pairs(test, range(8), 2000))
    print(f"distance of test pairs: {apart[same].mean():.2f} of one kind, {apart[~same].mean():.2f} of two")
    print(f"pairs told apart at {MIDDLE}: {np.mean((apart < MIDDLE) == same):.1%}".replace("%", " %"))
    apart, same = distances(trained, *pairs(test, (8, 9), 2000))
    print(f"pairs of the unseen digits 8 and 9 told apart: {np.mean((apart < MIDDLE) == same):.1%}".replace("%", " %"))


def pairs(digits: data.Dataset, kinds, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random pairs of images, half of them of one kind, and whether they are."""
    rng = np.random.default_rng(0)
    rows = {kind: np.flatnonzero(digits.y == kind) for kind in kinds}
    first = rng.choice(kinds, count)
    other = np.array([rng.choice([kind for kind in kinds if kind != one]) for one in first])
    same = np.arange(count) % 2 == 0
    left, right = (np.array([rng.choice(rows[kind]) for kind in of]) for of in (first, np.where(same, first, other)))
    return digits.x[left], digits.x[right], same.astype(np.int32)


def distances(trained, left, right, same) -> tuple[np.ndarray, np.ndarray]:
    a, b = map(np.asarray, trained.predict((left, right)))
    return np.linalg.norm(a - b, axis=1), same == 1


if __name__ == "__main__":
    main()
