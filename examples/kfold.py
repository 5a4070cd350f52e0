"""Cross-validation: five trainings, each tested on another fifth of the flowers, with mean and spread.

    python examples/kfold.py

The step compiles once for all folds: networks are values, and the folds have equal shapes. It prints

    fold 1: accuracy 1.000
    fold 2: accuracy 1.000
    fold 3: accuracy 0.933
    fold 4: accuracy 0.967
    fold 5: accuracy 0.967
    accuracy 0.973 ± 0.025
"""

from __future__ import annotations

import argparse
import statistics

from sklearn.model_selection import StratifiedKFold

from compose import compose_seq, data, fc, relu, softmax


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Cross-validate a classifier of irises.")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--folds", type=int, default=5)
    args = parser.parse_args(arguments)

    flowers = data.iris()
    net = compose_seq(fc(16, relu), fc(3, softmax))
    accuracies = []
    folds = StratifiedKFold(args.folds, shuffle=True, random_state=0).split(flowers.x, flowers.y)
    for fold, (train, test) in enumerate(folds, 1):
        trained = net.fit(
            flowers.x[train], flowers.y[train], loss="cross_entropy", optimizer="adam", learning_rate=0.01,
            epochs=args.epochs, seed=fold, verbose=False,
        )  # fmt: skip
        scores = trained.evaluate(flowers.x[test], flowers.y[test], metrics="accuracy")
        accuracies.append(scores["accuracy"])
        print(f"fold {fold}: accuracy {accuracies[-1]:.3f}")
    print(f"accuracy {statistics.mean(accuracies):.3f} ± {statistics.pstdev(accuracies):.3f}")


if __name__ == "__main__":
    main()
