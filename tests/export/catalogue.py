"""The cases that every format is tried on, and the round trip through a reader."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from compose import Layer, parallel
from compose.core.run import pack
from compose.export import ExportError, proof
from tests.cases.case import Case
from tests.cases.subject import Subject, families

_NAMED = [
    (f"{family}: {case.id}", case, what)
    for what in ("CASES", "OPTIONS")
    for family, cases in families(what).items()
    for case in cases
]
READ_BACK = [case for cases in families().values() for case in cases][::12]
_TOGETHER = 30


def apart(chosen: Callable[[Case], Any]) -> list:
    """The cases that are exported one at a time, as arguments of a test."""
    return [pytest.param(case, id=name) for name, case, _ in _NAMED if chosen(case)]


def together(left_out: Callable[[Case], Any], *whats: str) -> list:
    """The others, in groups, which saves most of the time: lists of cases, as arguments of a test.

    Args:
        whats: "CASES", one or a few of each word, or "OPTIONS", or both.
    """
    alike = defaultdict(list)
    for name, case, what in _NAMED:
        if what in (whats or ("CASES", "OPTIONS")) and not left_out(case):
            alike[what, _batch(case)].append((name, case))
    groups = [same[i : i + _TOGETHER] for same in alike.values() for i in range(0, len(same), _TOGETHER)]
    return [pytest.param([case for _, case in group], id=f"{group[0][0]}, {len(group) - 1} more") for group in groups]


def run_as_the_networks(cases: list[Case], write: Callable[..., Any], limit: float) -> None:
    """Export the cases as one network, and one by one if that fails, to tell which it is.

    The proofs are at one batch size, another than the example's.

    Args:
        write: of a network, its parameters, state and inputs.
        limit: of the errors in the export's report.
    """

    def check(*given: Any) -> None:
        report = write(*given).report
        assert report is not None and report.largest < limit, report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "BATCHES", (other_batch(cases),))
        try:
            check(*_side_by_side(cases))
        except Exception:
            for case in cases:
                check(*_side_by_side([case]))
            raise


def refusal_of(case: Case, to: Callable[..., Any], refused: tuple[str, ...], match: str) -> str | None:
    """The error of a case that is refused; None for others, which have a fixed batch size, and then run as they should.

    Args:
        to: the exporter.
        refused: how the text of those begins that are refused.
        match: what the error says that it expected.
    """
    subject = Subject(case)
    write = functools.partial(to, case.layer, subject.params, subject.state, subject.inputs)
    if text(case).startswith(refused):
        with pytest.raises(ExportError, match=match) as caught:
            write()
        return str(caught.value)
    if is_unbatched(case):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="shape"):
            patch.setattr(proof, "BATCHES", (other_batch([case]),))
            write()
    else:
        report = write(batch=batch_of(subject)).report
        assert report is not None and report.largest < 1e-10, report
    return None


def _side_by_side(cases: list[Case]) -> tuple[Layer, Any, Any, tuple]:
    """The cases as one network, each on inputs of its own: the network, its parameters, state and inputs."""
    subjects = [Subject(case) for case in cases]
    if len(subjects) == 1:
        return subjects[0].layer, subjects[0].params, subjects[0].state, subjects[0].inputs
    net = parallel(*(subject.layer for subject in subjects))
    params, state = (
        {key: of for key, of in zip(net.keys, each) if of}
        for each in zip(*((subject.params, subject.state) for subject in subjects))
    )
    return net, params, state, tuple(pack(subject.inputs) for subject in subjects)


def _batch(case: Case) -> Any:
    """The batch size of the inputs, which all have where cases are exported together."""
    shapes = [given if isinstance(given, tuple) else np.shape(given) for given in case.inputs]
    sizes = {shape[:1] for shape in shapes}
    return sizes.pop() if len(sizes) == 1 and not is_unbatched(case) else id(case)


def is_unbatched(case: Case) -> bool:
    """Whether an input of random numbers has one axis."""
    return any(isinstance(given, tuple) and len(given) == 1 for given in case.inputs)


def batch_of(subject: Subject) -> int:
    """The batch size of the example."""
    return next((a.shape[0] for a in jax.tree.leaves(subject.inputs) if a.ndim), 1)


def other_batch(cases: list[Case]) -> int:
    """A batch size that is not the example's: 1 or 5 by turns, so that neighbours get both.

    It is 7 for inputs without a batch axis: no length in the catalogue, so that they do not fit.
    """
    if any(map(is_unbatched, cases)):
        return 7
    return (1, 5)[next(i for i, (_, case, _) in enumerate(_NAMED) if case is cases[0]) // len(cases) % 2]


def share_of(starts: tuple[str, ...]) -> float:
    """The part of all cases whose text starts with one of these."""
    return sum(text(case).startswith(starts) for _, case, _ in _NAMED) / len(_NAMED)


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
