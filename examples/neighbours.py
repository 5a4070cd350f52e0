"""Clusters and nearest neighbours, on pixels and on what a network makes of them, with scikit-learn.

    python examples/neighbours.py                      writes neighbours.png

The baselines take images of digits as 64 numbers; the embeddings are the last hidden layer of a small convolutional
network, trained on half of the kinds of digits alone: 0 to 4. Accuracy is that of the five nearest neighbours among
the training images; how well five clusters match the five kinds is the adjusted mutual information, 0 for chance and 1
for equal. So the network groups what it was trained on, and other kinds worse than pixels do. It prints

    the digits 0 to 4
        pixels       neighbours 0.996, clusters 0.764
        embeddings   neighbours 0.998, clusters 0.992
    the digits 5 to 9, never seen
        pixels       neighbours 0.991, clusters 0.793
        embeddings   neighbours 0.958, clusters 0.489
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier

from compose import batch_norm, compose_seq, conv, data, dropout, fc, flatten, max_pool, plots, relu, softmax


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare neighbours and clusters of pixels and of embeddings.")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args(arguments)

    train, test = data.digits().split(test=0.5, seed=0)
    net = compose_seq(
        conv(32, 3, relu), batch_norm(0.9), conv(32, 3, relu), max_pool, flatten, dropout(0.3), fc(64, relu),
        fc(10, softmax),
    )  # fmt: skip
    seen = train.rows(train.y < 5)
    trained = net.fit(seen, loss="cross_entropy", learning_rate=1e-3, epochs=args.epochs, verbose=False)

    def embedded(x: np.ndarray) -> np.ndarray:
        return np.asarray(net[:-1].apply(trained.params, trained.state, x)[0])

    spaces = [("pixels", train.flat, test.flat), ("embeddings", embedded(train.x), embedded(test.x))]
    for title, kinds in [("the digits 0 to 4", range(5)), ("the digits 5 to 9, never seen", range(5, 10))]:
        print(title)
        known, asked = np.isin(train.y, kinds), np.isin(test.y, kinds)
        for name, x, x_test in spaces:
            nearest = KNeighborsClassifier(5).fit(x[known], train.y[known])
            clusters = KMeans(5, n_init=10, random_state=0).fit_predict(x_test[asked])
            accuracy = nearest.score(x_test[asked], test.y[asked])
            match = adjusted_mutual_info_score(test.y[asked], clusters)
            print(f"    {name:<12} neighbours {accuracy:.3f}, clusters {match:.3f}")
    plots.embeddings(spaces[1][2], test.y, test.names, path=args.out / "neighbours.png")


if __name__ == "__main__":
    main()
