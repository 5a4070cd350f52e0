"""Fully connected layers, embeddings, learned constants."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.keras.words.elementwise import activated
from compose.export.source.value import Value
from compose.layers.dense import fc
from compose.layers.einsum import bilinear, einsum
from compose.layers.embedding import embedding, embedding_bag
from compose.layers.learned import buffer, class_token, fixed_rows, learned_bias, learned_scale, parameter
from compose.layers.mixture import mixture


def biased(layer) -> str:
    return "" if layer.bias else ", use_bias=False"


@writes(fc)
def dense(w, layer, p, s, x):
    if x.ndim < 2:
        raise ExportError("an input with a batch axis and features", f"{x.shape}")
    weights = {k: p[k] for k in ("kernel", "bias") if k in p}
    text = f"layers.Dense({layer.size}{biased(layer)})"
    return activated(w, layer, p, x, text, weights, (*x.shape[:-1], layer.size))


def table_of(w, layer, p):
    """The rows of an embedding; that of padding gets no gradient."""
    if layer.padding is None:
        return p["embedding"]
    table = jnp.asarray(p["embedding"])
    w.note("The row of padding is trained too: Keras has none that is not.")
    return table.at[layer.padding].set(jax.lax.stop_gradient(table[layer.padding]))


@writes(embedding)
def lookup(w, layer, p, s, x):
    table = table_of(w, layer, p)
    kind = "ReversibleEmbedding" if w.shared is not None and w.shared.attends else "Embedding"
    text = f"layers.{kind}({layer.count}, {layer.size})"
    return w.module(x, text, {"embeddings": table}, (*x.shape, layer.size), table.dtype)


@writes(embedding_bag)
def bag(w, layer, p, s, x):
    ids, *rest = x if isinstance(x, tuple) else (x,)
    table = p["embedding"]
    ids = w.named(ids)
    text = f"layers.Embedding({layer.count}, {layer.size})"
    rows = w.module(ids, text, {"embeddings": table}, (*ids.shape, layer.size), table.dtype)
    real = next((v for v in rest if not v.floats), None)
    weights = next((v for v in rest if v.floats), None)
    if weights is not None:
        rows = w.made("{} * ops.expand_dims({}, -1)", rows, weights)
    shape = (ids.shape[0], layer.size)
    if real is None and layer.padding is None:
        return w.call(rows, f"ops.{layer.mode}({{}}, axis=1)", shape=shape)
    if real is not None and real.ndim == 1:
        real = w.made(
            f"ops.less(ops.arange({ids.shape[1]}), ops.expand_dims({{}}, -1))", real, shape=ids.shape, dtype=bool
        )
    if layer.padding is not None:
        known = w.made(f"ops.not_equal({{}}, {layer.padding})", ids, dtype=bool)
        real = known if real is None else w.made("ops.logical_and({}, {})", real, known)
    return w.made(f'{w.part("masked_bag")}({{}}, {{}}, "{layer.mode}")', rows, real, shape=shape)


@writes(learned_scale, learned_bias)
def per_channel(w, layer, p, s, x):
    key, sign = ("scale", "*") if isinstance(layer, learned_scale) else ("bias", "+")
    out = w.out(layer, x)
    x = w.named(x)
    return w.made(f"{{}} {sign} {{}}", x, w.parameter(x, p[key], key), shape=out.shape)


@writes(class_token)
def prepended(w, layer, p, s, x):
    out, x = w.out(layer, x), w.named(x)
    token = w.parameter(x, p["token"].reshape(1, layer.count, -1), "token", batch=True)
    return w.made("ops.concatenate([{}, {}], axis=1)", token, x, shape=out.shape)


@writes(parameter, buffer)
def bare(w, layer, p, s, x):
    trainable = isinstance(layer, parameter)
    value = (p if trainable else s)["value"]
    value = value.reshape(1, *layer.shape) if layer.batch else value
    return w.parameter(w.named(x), value, "value", batch=layer.batch, trainable=trainable)


@writes(fixed_rows)
def rows(w, layer, p, s, x):
    out = w.out(layer, x)
    table = w.parameter(w.named(x), p["embedding"], "embedding")
    return w.call(table, f"ops.take({{}}, {s['index'].tolist()}, axis=0)", shape=out.shape)


@writes(bilinear)
def two_sided(w, layer, p, s, x):
    a, b = (w.named(v) for v in x)
    kernel = w.parameter(a, p["kernel"], "kernel")
    text = 'ops.einsum("...a,...b,abc->...c", {}, {}, {})'
    y = w.made(text, a, b, kernel, shape=(*a.shape[:-1], layer.size))
    if layer.bias:
        y = w.made("{} + {}", y, w.parameter(a, p["bias"], "bias"))
    return w.inside("activation", layer.activation, p, y)


@writes(einsum)
def summed(w, layer, p, s, x):
    x = w.named(x)
    kernel, out = w.parameter(x, p["kernel"], "kernel"), w.out(layer, x)
    y = w.made(f'ops.einsum("{layer.equation}", {{}}, {{}})', x, kernel, shape=out.shape)
    if layer.bias:
        bias = layer.bias_along(p["bias"], y.ndim)
        y = w.made("{} + {}", y, w.parameter(x, bias, "bias"))
    return w.inside("activation", layer.activation, p, y)


@writes(mixture)
def mixed(w, layer, p, s, x):
    """Every expert, and the weights of each by a gate."""
    x = w.named(x)

    def expert(i: int) -> tuple:
        own, held = jax.tree.map(lambda a: a[i], (p["expert"], s.get("expert", {})))
        with w.at("expert"):
            return w.apart(layer.expert, lambda x: w.named(w.layer(layer.expert, own, held, x)), x, "expert")

    function, _, call, y = expert(0)
    if function is None or not isinstance(y, Value) or w.shared is not None:
        raise ExportError("experts with parameters, not shared", str(layer.expert))
    weights = {f"{i}_{name}": a for i in range(layer.experts) for name, a in expert(i)[1].items()}
    name = w.name_text(w.prefix(weights, "expert"), "_{i}")
    experts = w.made(f"[{function}({call}, {name}) for i in range({layer.experts})]", x)
    with w.at("gate"):
        kernel = {"kernel": p["gate"]["kernel"]}
        gate = w.module(x, f"layers.Dense({layer.experts}, use_bias=False)", kernel, (*x.shape[:-1], layer.experts))
    top = "" if layer.top is None else f", {layer.top}"
    return w.made(f"{w.part('mixture')}({{}}, {{}}{top})", experts, gate, shape=(*x.shape[:-1], y.shape[-1]))
