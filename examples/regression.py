"""Linear regression of diabetes: how far a disease has progressed after a year, from ten measurements.

    python examples/regression.py                      writes regression.png

With one variable, the body mass index, then with all ten, then with a small network. The targets range from 25 to 346.
The first layer normalises the inputs, and the last one undoes what was done to the targets, so that predictions and
errors are in the unit of the target. A quarter of the patients, who are not trained on, measure them. It prints

    always the mean           RMSE 70.5, R² 0.00
    body mass index alone     RMSE 64.4, R² 0.16
    all ten variables         RMSE 56.4, R² 0.36
    a hidden layer of 16      RMSE 56.9, R² 0.35
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes

from compose import compose_seq, data, fc, plots, relu, standardize


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Linear regression of diabetes.")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args(arguments)

    patients = load_diabetes(scaled=False)
    train, test = data.split(patients.data, patients.target[:, None], test=0.25, seed=0, stratify=False)
    x, y, unseen = (a.astype(np.float32) for a in (train.x, train.y, test.x))
    bmi = [patients.feature_names.index("bmi")]

    show("always the mean", np.full_like(test.y, train.y.mean()), test.y)
    predicted = None
    for title, net, columns in (
        ("body mass index alone", fc(1), bmi),
        ("all ten variables", fc(1), list(range(10))),
        ("a hidden layer of 16", compose_seq(fc(16, relu), fc(1)), list(range(10))),
    ):
        options = dict(loss="mse", optimizer="adam", learning_rate=0.01, epochs=args.epochs, l2=0.03, verbose=False)
        whole = compose_seq(standardize.fit(x[:, columns]), net, standardize.fit(y).inverse)
        predicted = np.asarray(whole.fit(x[:, columns], y, **options).predict(unseen[:, columns]))
        show(title, predicted, test.y)
    plots.residuals(predicted, test.y, path=args.out / "regression.png")


def show(title: str, predicted: np.ndarray, true: np.ndarray) -> None:
    rmse = np.sqrt(np.mean((predicted - true) ** 2))
    r2 = 1 - np.mean((predicted - true) ** 2) / np.var(true)
    print(f"{title:<25} RMSE {rmse:.1f}, R² {max(r2, 0):.2f}")


if __name__ == "__main__":
    main()
