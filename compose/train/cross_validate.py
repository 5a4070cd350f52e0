"""`cross_validate`: a whole training for each fold of the examples, tested on the rest."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from compose.core.errors import ConfigError, DataError
from compose.core.layer import Layer
from compose.data.dataset import Dataset
from compose.data.folds import folds as divided
from compose.train.examples import arrays
from compose.train.fit import fit
from compose.train.named import pair
from compose.train.trained import Trained
from compose.train.types import Losses, Metrics


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """The result of `cross_validate`; printed, it is a table.

    Attributes:
        scores: the loss and the metrics of each fold, on the examples that it was not trained on.
        trained: the network of each fold.
    """

    scores: tuple[dict[str, Any], ...]
    trained: tuple[Trained, ...]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each score over the folds."""
        return {name: float(np.mean([s[name] for s in self.scores])) for name in self.scores[0]}

    @property
    def spread(self) -> dict[str, float]:
        """The standard deviation of each score over the folds."""
        return {name: float(np.std([s[name] for s in self.scores])) for name in self.scores[0]}

    def __repr__(self) -> str:
        names = list(self.scores[0])
        rows = [["fold", *names]]
        rows += [[str(i), *(f"{s[name]:#.4g}" for name in names)] for i, s in enumerate(self.scores, 1)]
        rows += [["mean", *(f"{v:#.4g}" for v in self.mean.values())]]
        rows += [["spread", *(f"{v:#.2g}" for v in self.spread.values())]]
        widths = [max(map(len, column)) for column in zip(*rows)]
        first, *rest = widths
        line = lambda row: "  ".join([row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], rest))])
        return "\n".join(map(line, rows))


def cross_validate(
    net: Layer | Callable[..., Layer],
    x: Any,
    y: Any = None,
    *,
    loss: Losses,
    metrics: Metrics = (),
    folds: int = 5,
    stratify: bool | None = None,
    groups: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    verbose: bool = True,
    **options: Any,
) -> CrossValidation:
    """Train anew for each fold on the other folds, and measure it on that fold.

    The step is compiled once, or twice if the folds do not have the same size. If `net` is a function, each fold has a
    network of its own, such as one whose normaliser knows the training examples alone, and compiles its own step.

    Args:
        net: the network, or a function that makes it from the examples to train on: of (x, y), or of a data set if `x`
            is one.
        x, y: examples in arrays, or a data set of `compose.data`.
        folds, stratify, groups: as in `compose.data.folds`.
        sample_weight: a weight for each example; in training alone.
        seed: of the folds, and of each training.
        verbose: print a line for each fold.
        loss, metrics, options: those of `compose.fit`, but `validation`, `start` and `checkpoint`.

    Returns a `CrossValidation`, with the mean and the spread of each score. Elsewhere: scikit-learn `cross_validate`.

    Raises `DataError` if the examples cannot be divided, and what `fit` raises.

    >>> from compose import cross_validate, data, fc, softmax
    >>> found = cross_validate(fc(3, softmax), data.iris(), loss="cross_entropy", metrics="accuracy", verbose=False)
    >>> list(found.mean), len(found.trained)
    (['loss', 'accuracy'], 5)
    """
    for name in ("validation", "start", "checkpoint", "steps_per_epoch", "inputs"):
        if options.get(name) is not None:
            raise ConfigError(f"no {name} in cross-validation", repr(options[name]))
    whole = x if isinstance(x, Dataset) else None
    x, y = pair(x, y)
    if y is None:
        raise DataError("cross-validation needs targets: cross_validate(net, x, y, loss=...)")
    x, y = arrays(x, "x"), arrays(y, "y")
    whole = whole and replace(whole, x=x, y=y)
    count = len(jax.tree.leaves(x)[0])
    weights = None if sample_weight is None else np.asarray(sample_weight)
    if any(len(a) != count for a in (*jax.tree.leaves((x, y)), *(() if weights is None else (weights,)))):
        raise DataError(f"x, y and sample_weight must have the same length; x has {count} examples")
    targets = y if not isinstance(y, (tuple, dict)) else np.zeros((count, 1))
    scores, trained = [], []
    for fold, (train, test) in enumerate(divided(targets, folds, seed=seed, stratify=stratify, groups=groups), 1):
        seen, unseen = (_part(whole, x, y, rows) for rows in (train, test))
        own = net if isinstance(net, Layer) else net(*seen)
        weight = None if weights is None else weights[train]
        fitted = fit(
            own, *seen, loss=loss, metrics=metrics, sample_weight=weight, seed=seed, verbose=False, **options
        )  # fmt: skip
        scores.append(fitted.evaluate(*unseen))
        trained.append(fitted)
        if verbose:
            print(f"fold {fold}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores[-1].items()))
    return CrossValidation(tuple(scores), tuple(trained))


def _part(whole: Dataset | None, x: Any, y: Any, rows: Any) -> tuple[Any, ...]:
    """Some examples, as the arguments of `fit`: a data set, or x and y."""
    return jax.tree.map(operator.itemgetter(rows), (x, y)) if whole is None else (whole.rows(rows),)
