"""`profile`: how long each layer takes, measured by itself on its real input, beside the FLOPs that it needs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from compose.combinators.repeat import repeat
from compose.combinators.share import Cell
from compose.core.context import Call, Context
from compose.core.layer import Layer
from compose.core.plan import Plan, plan, specs
from compose.core.precision import as_wide_as, call_in, compute_dtype
from compose.core.run import as_arrays, check_params, pack
from compose.summary.brief import is_leaf
from compose.summary.flops import flops
from compose.summary.printed import Printed, scaled
from compose.summary.rows import Row, chain, hidden, rows

ROUNDS, ROUND_SECONDS = 5, 0.01  # each time is the median of so many rounds, which take at least so long
SIDES = {"cpu": 1024}  # of the square matrices whose product measures the peak
LARGE = 8192


@dataclass(frozen=True)
class Timed:
    """A row of a profile: a row of the summary, its time in seconds and its FLOPs; None for what does not run."""

    row: Row
    seconds: float | None
    flops: int


@dataclass(frozen=True, repr=False)
class Profile(Printed):
    """The time of every layer, compiled by itself and run on its real input.

    The time and FLOPs of a row are those of all its layers, and of a layer made of layers, the sum of those inside.

    Attributes:
        rows: one per layer.
        seconds, flops: the time and FLOPs of the whole network, compiled at once.
        peak: FLOPs per second of a large matrix product, measured in the same call.
        what: what was measured, for the lines under the table.
    """

    columns = ("path", "layer", "ms", "share", "FLOPs", "of peak")
    counts = ("ms", "share", "FLOPs", "of peak")

    rows: tuple[Timed, ...]
    seconds: float
    flops: int
    peak: float
    what: str

    @property
    def total(self) -> float:
        """The sum of the times of all layers."""
        return sum(timed.seconds or 0.0 for timed in self.rows if timed.row.depth == 0)

    def cells(self) -> list[tuple[str, ...]]:
        return [(t.row.heading, t.row.layer, *self._numbers(t.seconds, t.flops)) for t in self.rows]

    def totals(self) -> list[tuple[str, str]]:
        ms, _, operations, used = self._numbers(self.seconds, self.flops)
        return [
            ("layers", f"{1e3 * self.total:.3f} ms, the sum"),
            ("network", f"{ms} ms compiled at once, {operations or 0} FLOPs, {used or '0 %'} of the peak"),
            ("peak", f"{scaled(self.peak)}FLOP/s, a matrix product"),
            ("measured", self.what),
        ]

    def _numbers(self, seconds: float | None, operations: int) -> tuple[str, str, str, str]:
        if seconds is None:
            return "", "", "", ""
        share = f"{100 * seconds / self.total:.0f} %" if self.total else ""
        used = f"{100 * operations / seconds / self.peak:.0f} %" if operations and seconds else ""
        return f"{1e3 * seconds:.3f}", share, scaled(operations) if operations else "", used


def profile(
    net: Layer, params, state, *inputs: Any, gradient: bool = False, mask=None, precision: Any = None
) -> Profile:
    """See `Layer.profile`."""
    dtype = compute_dtype(precision)
    x = as_wide_as(params, as_arrays(pack(inputs)))
    planned = plan(net, specs(x))
    check_params(net, planned, params, state)
    ctx = Context(train=gradient, key=jax.random.key(0), mask=mask)
    calls = _calls(net, params, state, x, ctx, dtype)
    whole = Call(net, params, state, x, ctx, None)
    measured = {
        path: _measured(call, arrays, gradient, None, of_input) for path, (call, arrays, of_input) in calls.items()
    }
    seconds, operations = _measured(whole, _arrays(whole), gradient, dtype, True)
    listed = list(rows(planned))
    timed = tuple(_timed(i, listed, planned, measured, (seconds, operations)) for i in range(len(listed)))
    kind = jnp.dtype(dtype or jnp.float32)
    what = f"{'forward and gradient' if gradient else 'forward'}, {kind.name}, on {jax.devices()[0].device_kind}"
    return Profile(timed, seconds, operations, _peak(kind), what)


def _calls(net: Layer, params, state, x, ctx: Context, dtype: Any) -> dict[str, tuple[Call, Any, bool]]:
    """Every call of a layer inside, its arrays, and whether its input is that of the network.

    The network runs once, compiled; the iterations of a `repeat` are told apart in the path.
    """
    found: dict[str, tuple[Call, bool]] = {}

    def run(params, state, x):
        given = {id(leaf) for leaf in jax.tree.leaves(x)}

        def on_layer(path: tuple[str, ...], call: Call) -> None:
            found["/".join(path)] = call, all(id(leaf) in given for leaf in jax.tree.leaves(call.x))

        call_in(dtype, net, params, state, x, ctx.but(on_layer=on_layer))
        return {path: _arrays(call) for path, (call, _) in found.items()}

    arrays = jax.jit(run)(params, state, x)
    return {path: (call, arrays[path], of_input) for path, (call, of_input) in found.items()}


def _arrays(call: Call) -> tuple:
    """What a call computes from, as a tree of arrays: shared layers around it and the mask too."""
    held = tuple((cell.params, cell.state) for cell in call.ctx.scope)
    return call.params, call.state, call.x, held, call.ctx.mask


def _measured(call: Call, arrays: tuple, gradient: bool, dtype: Any, of_input: bool) -> tuple[float, int]:
    """The seconds and the FLOPs of one call by itself; its gradient is by parameters, and by inputs that have one."""
    params, state, x, held, mask = arrays
    wanted = (params, () if of_input else _floats(x)[0])

    def forward(wanted, state, x, held, mask):
        cells: tuple[Cell, ...] = ()
        for cell, (p, s) in zip(call.ctx.scope, held):
            cells = (*cells, Cell(cell.layer, cells, p, s))
        ctx = call.ctx.but(scope=cells, mask=mask, on_layer=None, on_function=None, key=jax.random.key(0))
        whole = x if of_input else _floats(x)[1](wanted[1])
        return call_in(dtype, call.layer, wanted[0], state, whole, ctx)

    def both(wanted, state, x, held, mask):
        y, back, after = jax.vjp(lambda wanted: forward(wanted, state, x, held, mask), wanted, has_aux=True)
        ones = jax.tree.map(_ones, y)
        return y, after, back(ones)

    run = both if gradient and jax.tree.leaves(wanted) else forward
    args = wanted, state, x, held, mask
    return _seconds(run, *args), flops(run, *args)


def _floats(x: Any) -> tuple[list, Callable[[list], Any]]:
    """The floating-point arrays of a tree, and a function from such a list to the tree."""
    leaves, tree = jax.tree.flatten(x)
    at = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.inexact)]

    def back(floats: list) -> Any:
        new = dict(zip(at, floats))
        return jax.tree.unflatten(tree, [new.get(i, leaf) for i, leaf in enumerate(leaves)])

    return [leaves[i] for i in at], back


def _ones(y: Any) -> Any:
    inexact = jnp.issubdtype(y.dtype, jnp.inexact)
    return jnp.ones(y.shape, y.dtype) if inexact else jnp.zeros(y.shape, jax.dtypes.float0)


def _seconds(fn: Callable, *args: Any) -> float:
    """The median time of a call, compiled; many calls a round where one is short."""
    run = jax.jit(fn)
    result = jax.block_until_ready(run(*args))
    times, calls = [], 1
    while len(times) < ROUNDS:
        began = time.perf_counter()
        for _ in range(calls):
            result = run(*args)
        jax.block_until_ready(result)
        took = time.perf_counter() - began
        if took < ROUND_SECONDS and not times:
            calls = max(2 * calls, int(calls * ROUND_SECONDS / max(took, 1e-7)))
            continue
        times.append(took / calls)
    return statistics.median(times)


def _peak(dtype: Any) -> float:
    """The FLOPs per second of a product of large square matrices."""
    side = SIDES.get(jax.default_backend(), LARGE)
    a = jnp.ones((side, side), dtype)
    return 2 * side**3 / _seconds(jnp.matmul, a, a)


def _timed(i: int, listed: list[Row], planned: Plan, measured: dict, whole: tuple[float, int]) -> Timed:
    """The row with its time and FLOPs: its own measurement, or the sum of those inside."""
    row = listed[i]
    path, at = run_path(planned, row.path)
    below = list(_inside(i, listed))
    if not below:
        if row.out is None:  # where a shared layer is defined; it runs where it is used
            return Timed(row, None, 0)
        seconds, operations = measured.get(path, whole)
        return Timed(row, row.merged * seconds, row.merged * operations)
    parts = [_timed(j, listed, planned, measured, whole) for j in below]
    pairs = [(part.seconds or 0.0, part.flops) for part in parts]
    inside = "/".join([path, *_turns(at)] if path else _turns(at))
    joins = (f"{inside}/{key}" if inside else key for key, part in chain(at)[-1].parts if hidden(key, part))
    pairs += [measured[join] for join in joins if join in measured]
    return Timed(row, row.times * sum(s for s, _ in pairs), row.times * sum(n for _, n in pairs))


def _inside(i: int, listed: list[Row]) -> Iterator[int]:
    """The rows one level below row `i`."""
    for j in range(i + 1, len(listed)):
        if listed[j].depth <= listed[i].depth:
            return
        if listed[j].depth == listed[i].depth + 1:
            yield j


def run_path(planned: Plan, path: str) -> tuple[str, Plan]:
    """Where a row's layer runs, in the first iteration of each `repeat` around it, and its plan; "" for the network."""
    at, found, rest = planned, [], path
    if len(chain(planned)) > 1 or is_leaf(planned):  # the first row is the network itself, under its own name
        rest = path.partition("/")[2]
    while rest:
        parts = dict(chain(at)[-1].parts)
        key = next((k for k in parts if rest == k or rest.startswith(k + "/")), None)
        if key is None:
            break
        found += [*_turns(at), key]
        at, rest = parts[key], rest[len(key) + 1 :]
    return "/".join(found), at


def _turns(at: Plan) -> list[str]:
    """The keys of the first iteration of the `repeat`s that a layer is wrapped in."""
    return ["0" for p in chain(at) if isinstance(p.layer, repeat)]
