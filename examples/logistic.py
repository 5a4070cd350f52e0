"""Logistic regression: is a tumour benign, from thirty measurements of its cells (breast cancer, Wisconsin).

    python examples/logistic.py                        writes logistic.png, the ROC curve

One layer with a sigmoid. The measures are of a quarter of the patients, who are not trained on; class 1 is benign.
It prints

    accuracy 0.958, precision 0.967, recall 0.967, AUC 0.994
    what speaks most against benign: worst texture, radius error, mean concave points
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

from compose import data, fc, plots, sigmoid


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Logistic regression of tumours.")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args(arguments)

    cells = load_breast_cancer()
    train, test = data.split(cells.data, cells.target, test=0.25, seed=0)
    mean, spread = train.x.mean(0), train.x.std(0)
    x, unseen = (((part.x - mean) / spread).astype(np.float32) for part in (train, test))

    trained = fc(1, sigmoid).fit(
        x, train.y[:, None], loss="binary_cross_entropy", optimizer="adam", learning_rate=0.01, epochs=args.epochs,
        l2=1e-3, metrics=("accuracy", "precision", "recall", "auc"), verbose=False,
    )  # fmt: skip
    scores = trained.evaluate(unseen, test.y[:, None])
    print("accuracy {accuracy:.3f}, precision {precision:.3f}, recall {recall:.3f}, AUC {auc:.3f}".format(**scores))
    weights = np.asarray(trained.params["kernel"])[:, 0]
    print("what speaks most against benign:", ", ".join(cells.feature_names[i] for i in np.argsort(weights)[:3]))
    plots.roc(trained.predict(unseen), test.y, path=args.out / "logistic.png")


if __name__ == "__main__":
    main()
