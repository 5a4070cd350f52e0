"""Every case of every family through every transformation, against its reference, as text and as a tree."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import compose
from compose import Layer, parse
from compose.core.function import Function
from compose.core.plan import plan, specs
from compose.core.printing import source
from compose.core.registry import words
from compose.core.run import pack
from compose.train import Trained
from tests.cases.case import Case
from tests.cases.in_torch import in_torch, prove_subject
from tests.cases.subject import FAST_COMPILE, Subject, assert_close, cotangent, families, label, numpy_tree

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = [pytest.param(case, id=f"{family}: {case.id}") for family, cases in families().items() for case in cases]


@pytest.fixture(scope="module", params=CASES)
def subject(request):
    with jax.enable_x64(True):
        yield Subject(request.param)


@pytest.mark.parametrize("case", CASES[::4])  # each operation is compiled by itself, which takes long
def test_jit_equals_eager(case: Case, x64):
    subject = Subject(case)
    y, after, _ = subject.run(subject.train, subject.params, subject.state, subject.inputs)
    assert_close((y, after), subject.apply(subject.params, subject.state, subject.inputs, subject.train), 1e-12, "jit")


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.bfloat16])
def test_the_plan_is_what_runs(subject: Subject, dtype):
    as_dtype = lambda a: jax.ShapeDtypeStruct(a.shape, dtype if jnp.issubdtype(a.dtype, jnp.floating) else a.dtype)
    made = plan(subject.layer, pack(jax.tree.map(as_dtype, subject.inputs)))
    run = lambda params, state, *inputs: subject.apply(params, state, inputs, subject.train)
    inputs = made.x if isinstance(made.x, tuple) else (made.x,)
    assert specs(jax.eval_shape(run, made.param_specs(), made.state_specs(), *inputs)) == (made.out, made.state_specs())


def test_vmap_equals_a_loop(subject: Subject):
    def one(inputs):
        return subject.apply(subject.params, subject.state, inputs, subject.train)

    together = jax.jit(jax.vmap(one), compiler_options=FAST_COMPILE)(_stacked(subject.stack))
    alone = [subject.run(subject.train, subject.params, subject.state, inputs)[:2] for inputs in subject.stack]
    assert_close(together, _stacked(alone), subject.case.tolerance, "vmap")


def test_scan_equals_a_loop(subject: Subject):
    def step(state, inputs):
        y, after = subject.apply(subject.params, state, inputs, subject.train)
        return after, y

    run = jax.jit(lambda s, xs: jax.lax.scan(step, s, xs), compiler_options=FAST_COMPILE)
    state, ys = run(subject.state, _stacked(subject.stack))
    after, outs = subject.state, []
    for inputs in subject.stack:
        y, after, _ = subject.run(subject.train, subject.params, after, inputs)
        outs.append(y)
    assert_close((ys, state), (_stacked(outs), after), subject.case.tolerance, "scan")


def test_gradient_is_that_of_finite_differences(subject: Subject):
    """Along one random direction, with every parameter and floating-point input moving at once."""
    _, _, (by_params, by_inputs) = subject.run(subject.train, subject.params, subject.state, subject.inputs)
    noise, h = np.random.default_rng(5), 1e-6
    at = (subject.params, dict(enumerate(subject.inputs)))
    way = jax.tree.map(lambda a: noise.normal(size=a.shape) if jnp.issubdtype(a.dtype, jnp.floating) else 0, at)

    def along(step: float):
        moved = jax.tree.map(lambda a, d: (a + step * d).astype(a.dtype), at, way)
        y = subject.run(subject.train, moved[0], subject.state, tuple(moved[1].values()))[0]
        pairs = zip(jax.tree.leaves(y), jax.tree.leaves(cotangent(y)))
        return sum(np.sum(np.asarray(a) * c) for a, c in pairs if c.dtype == np.float64)

    gradients = jax.tree.leaves((by_params, by_inputs))
    assert all(np.all(np.isfinite(g)) for g in gradients)
    slope = sum(np.sum(np.asarray(g) * d) for g, d in zip(gradients, _floats_of(way)))
    assert slope == pytest.approx((along(h) - along(-h)) / (2 * h), rel=2e-6, abs=2e-6)


def test_bfloat16_is_near_float64(subject: Subject):
    is_near_float64(subject, "bfloat16", 0.05)


@pytest.mark.parametrize("case", CASES[::4])
def test_float16_is_near_float64(case: Case, x64):
    is_near_float64(Subject(case), "float16", 0.01)


def is_near_float64(subject: Subject, precision: str, tolerance: float):
    """With inputs and parameters that half precision holds exactly, so that only what it computes is off."""
    held = lambda a: a.astype(precision).astype(jnp.float32) if jnp.issubdtype(a.dtype, jnp.floating) else a
    single = lambda a: a.astype(jnp.float32) if jnp.issubdtype(a.dtype, jnp.floating) else a
    params, inputs = jax.tree.map(held, (subject.params, subject.inputs))
    state = jax.tree.map(single, subject.state)
    apply = lambda p, s, x: subject.layer.apply(p, s, *x, precision=precision)
    y, after = jax.jit(apply, compiler_options=FAST_COMPILE)(params, state, inputs)
    widen = lambda a: a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a
    exact = subject.run(False, *jax.tree.map(widen, (params, state, inputs)))[0]
    for got, want in zip(jax.tree.leaves(y), jax.tree.leaves(exact)):
        assert got.dtype == (jnp.float32 if want.dtype == jnp.float64 else want.dtype)
    assert_close(y, exact, tolerance, precision)
    assert specs(after) == specs(state)


def test_float64_is_the_reference(subject: Subject):
    """And its gradients are the reference's, where that has them."""
    case = subject.case
    for reference, train in ((case.reference, False), (case.train_reference, True)):
        if isinstance(reference, in_torch):
            prove_subject(subject, reference, train)
        elif reference is not None:
            y, after, _ = subject.run(train, subject.params, subject.state, subject.inputs)
            want = reference(*numpy_tree((subject.params, subject.state)), *numpy_tree(subject.inputs))
            assert_close((y, after) if train else y, want, case.tolerance, "output and state")
    if case.reference is not None:
        _, after, _ = subject.run(False, subject.params, subject.state, subject.inputs)
        assert_close(after, subject.state, 0, "state in inference")


def test_prints_and_parses(subject: Subject):
    for width in (88, 20):
        text = source(subject.layer, width)
        again = parse(text)
        assert again == subject.layer and hash(again) == hash(subject.layer), text
        assert source(again, width) == text


def test_saves_and_loads(subject: Subject, tmp_path):
    inputs = specs(pack(subject.inputs))
    Trained(subject.layer, subject.params, subject.state, (), inputs).save(tmp_path / "net.safetensors")
    again = compose.load(tmp_path / "net.safetensors")
    assert (again.net, again.inputs) == (subject.layer, inputs)
    assert jax.tree.structure((again.params, again.state)) == jax.tree.structure((subject.params, subject.state))
    for a, b in zip(jax.tree.leaves((again.params, again.state)), jax.tree.leaves((subject.params, subject.state))):
        assert a.dtype == b.dtype and np.array_equal(a, b)


@pytest.mark.parametrize("family", families())
def test_parameter_trees_are_the_golden_ones(family: str, request):
    with jax.enable_x64(True):
        trees = {label(case): _tree(Subject(case)) for case in families()[family]}
    assert len(trees) == len(families()[family]), "two cases with the same expression and inputs"
    file = GOLDEN / f"{family}.json"
    if request.config.getoption("--update-golden"):
        file.write_text(json.dumps(trees, indent=1, ensure_ascii=False) + "\n")
    assert file.exists(), "no golden file: look at the new trees and write it with --update-golden"
    assert trees == json.loads(file.read_text())


def test_every_word_has_a_case():
    written = {name for cases in families().values() for case in cases for name in _names(str(case.layer))}
    layers = {
        n for n, word in words().items() if isinstance(word, (Function, type)) and _is_layer(word) and _ours(word)
    }
    assert sorted(layers - written) == []


def test_every_public_word_is_in_the_registry():
    missing = [n for n, v in vars(compose).items() if isinstance(v, Function) and words().get(n) is not v]
    assert missing == []


def _stacked(trees: list):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _floats_of(tree) -> list:
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, np.ndarray)]


def _tree(subject: Subject) -> dict[str, str]:
    made = {"params": subject.params, "state": subject.state}
    flat, _ = jax.tree_util.tree_flatten_with_path(made)
    return {"/".join(key.key for key in path): str(leaf.shape) for path, leaf in flat}


def _ours(word) -> bool:
    """Not a word that a test registered."""
    return getattr(word, "fn", word).__module__.startswith("compose.")


def _is_layer(word) -> bool:
    return isinstance(word, Function) or issubclass(word, Layer)


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
