"""The loss of labels without alignment at its edges, and its gradient, against PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from compose import ctc_loss
from compose.core.errors import ConfigError, ShapeError

torch = pytest.importorskip("torch")

LABELS = np.array([[1, 1, 2, 0], [3, 4, 0, 0], [2, 4, 4, 1], [1, 1, 1, 2]])
EDGES = {
    "as long as they can be": ([9, 7, 5, 6], [3, 2, 4, 4]),
    "too short": ([9, 1, 4, 6], [3, 2, 4, 4]),
    "no labels": ([9, 3, 1, 9], [0, 2, 0, 0]),
    "no steps": ([0, 0, 5, 9], [0, 2, 4, 1]),
}


def theirs(x, labels, lengths, counts, **options):
    x = torch.tensor(x, requires_grad=True)
    given = torch.tensor(labels), torch.tensor(lengths), torch.tensor(counts)
    y = torch.nn.functional.ctc_loss(x.transpose(0, 1), *given, reduction="none", **options)
    (gradient,) = torch.autograd.grad(y, x, torch.arange(1.0, 5.0, dtype=torch.float64))
    return y.detach().numpy(), gradient.numpy()


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("edge", EDGES)
def test_the_edges_are_torchs(edge, flat, rng):
    lengths, counts = map(np.array, EDGES[edge])
    x = rng.normal(size=(4, 9, 5))  # not normalised: torch's gradient takes it to be
    labels = np.concatenate([row[:n] for row, n in zip(LABELS, counts)]) if flat else LABELS
    with jax.enable_x64(True):
        for zero in (False, True):
            y, gradient = theirs(x, labels, lengths, counts, zero_infinity=zero)
            given = *map(jnp.asarray, (labels, lengths, counts)), ctc_loss(zero_infinity=zero)
            ours, pull = jax.vjp(lambda x, given=given: given[-1](x, *given[:-1]), x)
            (mine,) = pull(jnp.arange(1.0, 5.0))
            possible = np.isfinite(y)
            np.testing.assert_allclose(ours, y, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(mine[possible], gradient[possible], rtol=1e-10, atol=1e-12)
            for none in (mine[~possible], gradient[~possible]):  # torch's is NaN in more places
                assert all(np.isnan(g).any() for g, steps in zip(none, lengths[~possible]) if steps)


def test_lengths_beyond_the_arrays_are_nan():
    x = jnp.zeros((2, 4, 3))
    labels, fine = jnp.ones((2, 2), int), jnp.array([2, 2])
    is_nan = lambda *given: np.isnan(np.asarray(ctc_loss(x, *given))).tolist()
    assert is_nan(labels, jnp.array([5, 4]), fine) == [True, False]
    assert is_nan(labels, jnp.array([4, 4]), jnp.array([2, 3])) == [False, True]
    assert is_nan(jnp.ones(3, int), jnp.array([4, 4]), fine) == [False, True]


def test_errors():
    x, labels, lengths = jnp.zeros((2, 4, 3)), jnp.ones((2, 2), int), jnp.array([2, 2])
    with pytest.raises(ConfigError, match="a blank from 0 to 2"):
        ctc_loss(blank=3)(x, labels, lengths, lengths)
    with pytest.raises(ShapeError, match="labels and two lengths for each of 2 examples"):
        ctc_loss(x, labels[:1], lengths, lengths)
    with pytest.raises(ShapeError, match=r"\(batch, time, classes\)"):
        ctc_loss(x[0], labels, lengths, lengths)
