"""A model ready to serve: its signature, and the batch sizes that are compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.errors import ConfigError, LayerError, shape_text
from compose.core.plan import plan
from compose.core.precision import compute_dtype
from compose.serve.errors import ServeError
from compose.serve.tensors import Slot
from compose.train.limits import Limit, check_limits, limits_of
from compose.train.logits import Outputs, traced
from compose.train.output_names import output_names
from compose.train.predict import forward
from compose.train.trained import Trained

TOLERANCE = 1e-3  # between one example alone and among others: rounding is far below it
FACTORS = (1e3, -1e2, 0.0)  # of other examples, of one sign: a choice for the whole batch depends on how large they are


class Engine:
    """A trained network that runs on batches of a few sizes.

    Batches are padded up to the next size, so that nothing is compiled after `warm_up`. If the examples of a batch
    depend on each other, as after a mean over the batch, padding and joining would change the answer: `independent` is
    then False, and each request runs alone, in its own size.

    Attributes:
        trained: the network.
        inputs, outputs: what it takes and returns.
        sizes: the batch sizes, ascending; powers of two up to `max_batch`.
        independent: whether requests may share a batch; None before `warm_up`.
    """

    def __init__(self, trained: Trained, max_batch: int = 32):
        specs, self._tree = jax.tree.flatten(trained.inputs)
        if any(not spec.shape for spec in specs):
            raise ConfigError("inputs with a batch axis", shape_text(trained.inputs))
        self.trained = trained
        self.inputs = tuple(
            Slot(name, tuple(spec.shape[1:]), np.dtype(spec.dtype))
            for name, spec in zip(_numbered("input", len(specs)), specs)
        )
        self.sizes = (*(2**i for i in range((max_batch - 1).bit_length())), max_batch)
        self.independent: bool | None = None
        self._forward = forward(trained.net, compute_dtype(None))
        self._limits = limits_of(trained.net, trained.inputs)
        self.outputs, self._by_row = self._traced()

    def check(self, arrays: Sequence[np.ndarray]) -> None:
        """Raise `ServeError` for integers that the network has no row or step for, and for batches that differ."""
        counts = [len(a) for a in arrays]
        if len(set(counts)) > 1:
            raise ServeError(400, f"the inputs have different numbers of examples: {', '.join(map(str, counts))}")
        try:
            check_limits(self._limits, self._joined(arrays))
        except LayerError as e:
            raise ServeError(400, f"expected {e.expected}, got {e.got}") from None

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for a batch of any size; those of `predict`."""
        count, most = len(arrays[0]), self.sizes[-1]
        if not self.independent:
            return self._alone(arrays)
        if count <= most:
            size = next(size for size in self.sizes if size >= count)
            return [y[:count] for y in self._predict([_padded(a, size) for a in arrays])]
        parts = [self.run([a[i : i + most] for a in arrays]) for i in range(0, count, most)]
        return [np.concatenate(ys) for ys in zip(*parts)]

    def warm_up(self) -> None:
        """Compile every batch size, and see whether the examples of a batch are independent of each other."""
        self.independent = self._by_row and self._seen_independent()
        if not self.independent:
            self._predict([a[:1] for a in self._examples(1)])

    def _seen_independent(self) -> bool:
        """Whether the outputs for an example are the same alone, at any place of a batch, and among any others."""
        most = self.sizes[-1]
        given = self._examples(0)
        alone = {i: self._predict([a[i : i + 1] for a in given]) for i in {0, most - 1, *(s - 1 for s in self.sizes)}}
        for size in self.sizes:
            ys = self._predict([a[:size] for a in given])
            if any(len(y) != size for y in ys):
                return False
            if any(not _close(y[i], own[0]) for i in (0, size - 1) for y, own in zip(ys, alone[i])):
                return False
        kinds = (given, *(self._examples(1, factor) for factor in FACTORS))
        return most == 1 or all(self._keeps(own, [k for k in kinds if k is not own]) for own in kinds)

    def _keeps(self, own: list[np.ndarray], others: list[list[np.ndarray]]) -> bool:
        """Whether every second example has the same outputs where the ones between are other examples."""
        place, mixed = np.arange(self.sizes[-1]), own
        for i, other in enumerate(others):
            here = place % (2 * len(others)) == 2 * i + 1
            mixed = [np.where(_rows(here, a), b, a) for a, b in zip(mixed, other)]
        pairs = zip(self._predict(own), self._predict(mixed))
        return all(_close(a[::2], b[::2], 1e-6, least=0.0) for a, b in pairs)

    def _alone(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        try:
            return self._predict(arrays)
        except LayerError as e:  # for so many examples
            raise ServeError(400, f"expected {e.expected}, got {e.got}") from None

    def _predict(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        y = self._forward(self.trained.params, self.trained.state, self._joined(arrays))
        return [np.asarray(leaf) for leaf in jax.tree.leaves(y)]

    def _joined(self, arrays: Sequence[np.ndarray]) -> Any:
        return jax.tree.unflatten(self._tree, arrays)

    def _examples(self, seed: int, factor: float | None = None) -> list[np.ndarray]:
        """A batch of random examples of the largest size; with a factor, of its sign and size within the limits."""
        noise = np.random.default_rng(seed)
        most: dict[int, Limit] = {limit.place: limit for limit in self._limits}
        made = []
        for i, slot in enumerate(self.inputs):
            shape = (self.sizes[-1], *slot.shape)
            if jnp.issubdtype(slot.dtype, jnp.floating):
                drawn = noise.normal(size=shape)
                made.append((drawn if factor is None else factor * np.abs(drawn)).astype(slot.dtype))
            else:
                low, high = (0, most[i].most) if i in most else _ends(slot.dtype, factor)
                drawn = noise.integers(low, high, shape, endpoint=True)
                made.append((drawn if factor != 0 else np.zeros(shape)).astype(slot.dtype))
        return made

    def _traced(self) -> tuple[tuple[Slot, ...], bool]:
        """The outputs, and whether all of them have the batch as their first axis."""
        batch = max(2, self.sizes[-1])
        try:
            found, made = self._trace(batch)
        except LayerError:  # a network for one example at a time
            found, made = self._trace(1)
        leaves = jax.tree.leaves(made)
        by_row = all(leaf.shape and leaf.shape[0] == batch for leaf in leaves)
        names = output_names(found) or _numbered("output", len(leaves))
        cut = lambda leaf: tuple(leaf.shape[1:])
        return tuple(Slot(n, cut(leaf), np.dtype(leaf.dtype)) for n, leaf in zip(names, leaves)), by_row

    def _trace(self, batch: int) -> tuple[Outputs, Any]:
        """The layers of the network, and what it returns, in float32 from inputs in half precision."""
        specs = jax.tree.map(lambda s: jax.ShapeDtypeStruct((batch, *s.shape[1:]), s.dtype), self.trained.inputs)
        planned = plan(self.trained.net, specs)
        found = traced(self.trained.net, planned.param_specs(), planned.state_specs(), specs)
        return found, jax.eval_shape(self._forward, self.trained.params, self.trained.state, specs)


def _numbered(word: str, count: int) -> tuple[str, ...]:
    return (word,) if count == 1 else tuple(f"{word}_{i}" for i in range(count))


def _padded(array: np.ndarray, size: int) -> np.ndarray:
    """The batch with its last example repeated up to `size`: an example that the network is known to take."""
    missing = size - len(array)
    return array if not missing else np.concatenate([array, np.repeat(array[-1:], missing, 0)])


def _rows(mask: np.ndarray, array: np.ndarray) -> np.ndarray:
    return mask.reshape(-1, *(1,) * (array.ndim - 1))


def _ends(dtype: np.dtype, factor: float | None) -> tuple[int, int]:
    """The range of integers that are drawn for this factor, within what the dtype holds."""
    if factor is None or dtype.kind == "b":
        return 0, 1
    holds = np.iinfo(dtype)
    low, high = sorted((0, int(factor)))
    return max(low, int(holds.min)), min(high, int(holds.max))


def _close(a: np.ndarray, b: np.ndarray, tolerance: float = TOLERANCE, least: float = 1.0) -> bool:
    """Whether floats differ by no more than the tolerance of the largest, which counts as `least` at least."""
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return bool(np.array_equal(a, b))
    a, b = a.astype(np.float64), b.astype(np.float64)
    scale = max(least, float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b))))
    return bool(np.allclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True))
