"""Cross-validation: five trainings, each tested on another fifth of the flowers, with mean and spread.

    python examples/kfold.py

The step compiles once for all folds: networks are values, and the folds have equal shapes. It prints

    fold       loss  accuracy
    1       0.03247     1.000
    2       0.05267     1.000
    3        0.1186    0.9000
    4       0.07634    0.9667
    5        0.1088    0.9667
    mean    0.07778    0.9667
    spread    0.033     0.037
"""

from __future__ import annotations

import argparse

from compose import compose_seq, cross_validate, data, fc, relu, softmax


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Cross-validate a classifier of irises.")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--folds", type=int, default=5)
    args = parser.parse_args(arguments)

    net = compose_seq(fc(16, relu), fc(3, softmax))
    found = cross_validate(
        net, data.iris(), loss="cross_entropy", metrics="accuracy", folds=args.folds, learning_rate=0.01,
        epochs=args.epochs, verbose=False,
    )  # fmt: skip
    print(found)


if __name__ == "__main__":
    main()
