"""References written in PyTorch: also the gradients can be asked of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch

from tests.cases.case import Case
from tests.cases.subject import Subject, assert_close, cotangent, numpy_tree


class in_torch:
    """A reference `fn(params, state, *inputs) -> output` on tensors, called with NumPy arrays.

    Arrays are channels last and tensors channels first: inputs and output are turned, parameters are not.
    """

    def __init__(self, fn: Callable, turned: bool = True):
        self.fn, self.turned = fn, turned

    def __call__(self, params, state, *inputs) -> Any:
        y = self.run(*jax.tree.map(_tensor, (params, state, inputs)))
        return jax.tree.map(lambda t: t.detach().numpy(), y)

    def gradients(self, params, state, inputs, cotangent) -> Any:
        """By the parameters and the floating-point inputs, for one cotangent of each output."""
        params, state, inputs = jax.tree.map(_tensor, (params, state, inputs))
        leaves, tree = jax.tree.flatten((params, inputs))
        for leaf in leaves:
            leaf.requires_grad_(leaf.is_floating_point())
        y = self.run(params, state, inputs)
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        outputs = [t for t in jax.tree.leaves(y) if t.requires_grad]
        given = [torch.tensor(c) for c in jax.tree.leaves(cotangent) if c.dtype == np.float64][: len(outputs)]
        found = iter(torch.autograd.grad(outputs, wanted, given))
        return jax.tree.unflatten(tree, [next(found).numpy() if leaf.requires_grad else None for leaf in leaves])

    def run(self, params, state, inputs):
        if not self.turned:
            return self.fn(params, state, *inputs)
        return jax.tree.map(last, self.fn(params, state, *map(first, inputs)))


def prove(case: Case, reference: in_torch, train: bool = False) -> None:
    """Output, state and gradients of a case, with perturbed parameters and a random cotangent, are the reference's."""
    prove_subject(Subject(case), reference, train)


def prove_subject(subject: Subject, reference: in_torch, train: bool = False) -> None:
    tolerance = subject.case.tolerance
    given = numpy_tree((subject.params, subject.state, subject.inputs))
    y, after, (by_params, by_inputs) = subject.run(train, subject.params, subject.state, subject.inputs)
    assert_close((y, after) if train else y, reference(*given[:2], *given[2]), tolerance, "output and state")
    want_params, want_inputs = reference.gradients(*given, numpy_tree(cotangent(y)))
    assert_close(by_params, want_params, tolerance, "gradient by the parameters")
    assert_close(list(by_inputs.values()), [g for g in want_inputs if g is not None], tolerance, "by the inputs")


def first(x):
    """Channels first."""
    return x.movedim(-1, 1) if x.ndim > 2 else x


def last(x):
    """Channels last."""
    return x.movedim(1, -1) if x.ndim > 2 else x


def oihw(kernel):
    """Our kernel `(*space, in, out)` as torch has it, `(out, in, *space)`."""
    return kernel.permute(-1, -2, *range(kernel.ndim - 2))


def _tensor(a):
    return torch.tensor(np.asarray(a))
