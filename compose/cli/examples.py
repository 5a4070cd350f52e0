"""`--data`: examples with their targets, from a data set by name or from a table, in the form that a network takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from compose import Layer, Trained, compose_seq, data
from compose.core.errors import ComposeError, DataError, LayerError
from compose.core.plan import specs
from compose.train.losses.known import LOSSES

SETS = {
    "mnist": data.mnist,
    "fashion-mnist": data.fashion_mnist,
    "digits": lambda: data.digits().split(),
    "iris": lambda: data.iris().split(),
}


@dataclass(frozen=True)
class Task:
    """Examples with their targets, labels or numbers `(n, outputs)`, and the loss and metrics for these.

    Attributes:
        data: the examples to train on.
        test: those that the data set has for testing, or None.
    """

    data: data.Dataset
    test: data.Dataset | None
    loss: str
    metrics: tuple[str, ...]

    @property
    def measured(self) -> data.Dataset:
        """The examples to measure a network on: the test examples if there are such, else all."""
        return self.data if self.test is None else self.test

    def around(self, net: Layer, train: data.Dataset) -> Layer:
        """A new network for the examples: for a table, with its columns and its target normalised."""
        if not isinstance(train, data.Table):
            return net
        parts = [train.encoder(), *(net if isinstance(net, compose_seq) else (net,))]
        of_errors = self.loss in LOSSES and LOSSES[self.loss].errors  # which is computed on normalised targets
        return compose_seq(*parts, *((train.decoder(),) if of_errors else ()))


def read(source: str, target: str | None, net: Layer, start: Trained | None, loss: str | None, metrics: Any) -> Task:
    """The task that a network is to do on the data.

    Args:
        source: the name of a data set, a `.csv` or `.parquet` table, or an `.npz` file with `x` and `y`.
        target: the column of a table with the targets; the last one by default.
        start: the network trained so far, whose inputs and columns are known; None for a new network.
        loss, metrics: as given; without them, what fits the targets.

    Raises `DataError` if the data cannot be read or does not fit the network.
    """
    if Path(source).suffix.lower() in (".csv", ".parquet"):
        return _of_table(
            data.table(source, target, columns=start and start.names.columns), source, net, start, loss, metrics
        )
    x, y, test, names = _arrays(source, target)
    shape = _shape(source, net, start and start.inputs, x.shape[1:])
    put = lambda a: a.reshape(len(a), *shape)
    outputs = net.out(shape)
    fitted = _targets(source, y, outputs, loss)
    if test is not None:
        test = data.Dataset(put(test[0]), _targets(source, test[1], outputs, loss)[0], names)
    return Task(data.Dataset(put(x), fitted[0], names), test, loss or fitted[1], tuple(metrics) or fitted[2])


def _of_table(
    table: data.Table, source: str, net: Layer, start: Trained | None, loss: str | None, metrics: Any
) -> Task:
    if not len(table.y):
        raise DataError(f"{source}: no column {table.columns.target.name!r}, the target of the network")
    inputs = specs(table.x)
    if start is None:
        whole = lambda shape: net.out(_shape(source, net, None, shape))
        outputs = whole(table.encoder().out(*jax.tree.leaves(inputs))[1:])
    else:
        want, got = (tuple(i.shape[1:] for i in jax.tree.leaves(tree)) for tree in (start.inputs, inputs))
        if want != got:
            raise DataError(f"{source}: the network takes examples of shape {want}; these have {got}")
        outputs = net.out(*jax.tree.leaves(start.inputs))
    y = table.y
    if not table.names and (y == np.floor(y)).all() and np.abs(y).max() < 2**31:
        y = y[:, 0].astype(np.int32)
    y, usual, measured = _targets(source, y, outputs, loss)
    return Task(replace(table, y=y), None, loss or usual, tuple(metrics) or measured)


def _arrays(source: str, target: str | None) -> tuple[np.ndarray, np.ndarray, Any, tuple[str, ...]]:
    if source in SETS:
        if target is not None:
            raise DataError(f"--target is the column of a table; {source} has its own targets")
        train, test = SETS[source]()
        return train.x, train.y, (test.x, test.y), train.names
    path = Path(source)
    if path.suffix.lower() != ".npz":
        raise DataError(
            f"{source}: expected {', '.join(SETS)}, a .csv table, a .parquet table, or an .npz file with x and y"
        )
    if not path.is_file():
        raise DataError(f"{source}: no such file")
    try:
        with np.load(path) as held:
            return np.asarray(held["x"]), np.asarray(held["y"]), None, ()
    except Exception as e:  # a damaged file may raise anything
        raise DataError(f"{path}: expected arrays x and y: {str(e).splitlines()[0] if str(e) else e!r}") from None


def _shape(source: str, net: Layer, inputs: Any, have: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an example: as the network takes it, or as it is; images as vectors if they fit only so."""
    size = int(np.prod(have))
    if inputs is not None:
        if isinstance(inputs, tuple):
            raise DataError(f"{source}: the network takes {len(inputs)} inputs; data from here has one")
        want = tuple(inputs.shape[1:])
        if int(np.prod(want)) != size:
            raise DataError(f"{source}: the network takes examples of shape {want}; these have {have}")
        return want
    error: ComposeError | None = None
    for shape in dict.fromkeys((have, (size,))):
        try:
            out = net.out(shape)
        except LayerError as e:
            error = error or e
            continue
        if isinstance(out, tuple) and len(out) == 1 and isinstance(out[0], int):
            return shape
        error = error or DataError(f"{source}: expected a network whose output is one vector; for {have} it is {out}")
    assert error is not None
    raise error


def _targets(source: str, y: np.ndarray, outputs: Any, loss: str | None) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Targets for such outputs, and the loss and metrics that fit them."""
    count, whole = outputs[-1], y.dtype.kind in "biu"
    if y.ndim == 1 and whole and count > 1 and loss != "mse":
        if y.min() < 0 or y.max() >= count:
            raise DataError(
                f"{source}: the network has {count} outputs, so labels must be 0..{count - 1}; they range from "
                f"{y.min()} to {y.max()}"
            )
        return y, "cross_entropy", ("accuracy",)
    y = y.reshape(len(y), -1).astype(np.float32)
    if y.shape[1] != count:
        raise DataError(
            f"{source}: the network has {count} outputs, the data {y.shape[1]} target{'s' * (y.shape[1] > 1)}"
        )
    if whole and set(np.unique(y)) <= {0.0, 1.0}:
        return y, "binary_cross_entropy", ("accuracy",)
    return y, "mse", ("rmse",)


def network(text: str) -> Layer | None:
    """The network of an expression, or of a text file with one; None for a model file. Raises `ComposeError`."""
    from compose import parse

    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # too long for a name
        is_file = False
    if is_file and path.suffix == ".safetensors":
        return None
    if not is_file and (path.suffix == ".safetensors" or (path.suffix == ".txt" and "(" not in text)):
        raise DataError(f"{text}: no such file")
    try:
        return parse(path.read_text() if is_file else text)
    except UnicodeDecodeError:
        raise DataError(f"{text}: expected a text file with an expression, or a model file that ends in .safetensors") \
            from None  # fmt: skip
    except ComposeError as e:
        if is_file:
            e.args = (f"{text}: {e}",)
        raise
