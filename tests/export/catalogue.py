"""The cases that every format is tried on, and the round trip through a reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from tests.cases.case import Case
from tests.cases.subject import Subject, families

_NAMED = [
    (f"{family}: {case.id}", case)
    for what in ("CASES", "OPTIONS")
    for family, cases in families(what).items()
    for case in cases
]
EVERY_CASE = [pytest.param(case, id=name) for name, case in _NAMED]
READ_BACK = [case for cases in families().values() for case in cases][::6]


def other_batch(case: Case) -> int:
    """A batch size that is not the example's: 1 or 5 by turns, so that neighbours, cases of one word, get both.

    It is 7 for inputs without a batch axis: no length in the catalogue, so that they do not fit.
    """
    unbatched = any(isinstance(given, tuple) and len(given) == 1 for given in case.inputs)
    return 1 if not unbatched and any(other is case for _, other in _NAMED[::2]) else 7 if unbatched else 5


def share_of(starts: tuple[str, ...]) -> float:
    """The part of all cases whose text starts with one of these."""
    return sum(text(case).startswith(starts) for _, case in _NAMED) / len(_NAMED)


def text(case: Case) -> str:
    """A case's layer on one line."""
    return " ".join(str(case.layer).split())


def gives_back(net: Any, given: Any, back: Callable[[Any, Subject], Any]) -> None:
    """What `back` reads of an export of the network is the network, weights included."""
    subject = Subject(Case(net, (given,)))
    read = back(net, subject)
    assert read.net == net
    for got, want in zip(jax.tree.leaves(read.params), jax.tree.leaves(subject.params), strict=True):
        assert np.allclose(got, want, atol=1e-6)


def gives_back_what_computes_the_same(back: Callable[[Any, Subject], Any], cases: list[Case] = READ_BACK) -> None:
    """Most networks can be written and read; they come back in the reader's own form, which computes the same."""
    read = 0
    for case in cases:
        subject = Subject(case)
        try:
            found = back(case.layer, subject)
        except ValueError:  # the exporter or the reader has no word for it
            continue
        assert found.verify("outputs").ok, case.id
        read += 1
    assert read > 0.6 * len(cases)
