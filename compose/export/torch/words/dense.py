"""Fully connected layers, embeddings, learned constants."""

from __future__ import annotations

import jax

from compose.export.errors import ExportError
from compose.export.source.value import Value
from compose.export.torch.registry import writes
from compose.layers.dense import fc
from compose.layers.einsum import bilinear, einsum
from compose.layers.embedding import embedding, embedding_bag
from compose.layers.learned import buffer, class_token, fixed_rows, learned_bias, learned_scale, parameter
from compose.layers.mixture import mixture


@writes(fc)
def dense(w, layer, p, s, x):
    weights = {"weight": p["kernel"].T, **({"bias": p["bias"]} if layer.bias else {})}
    text = f"nn.Linear({x.shape[-1]}, {layer.size}{'' if layer.bias else ', bias=False'})"
    y = w.module(x, text, weights, shape=(*x.shape[:-1], layer.size))
    return w.inside("activation", layer.activation, p, y)


@writes(embedding)
def lookup(w, layer, p, s, x):
    padding = "" if layer.padding is None else f", padding_idx={layer.padding}"
    text = f"nn.Embedding({layer.count}, {layer.size}{padding})"
    table = p["embedding"]
    return w.module(x, text, {"weight": table}, shape=(*x.shape, layer.size), dtype=table.dtype)


@writes(embedding_bag)
def bag(w, layer, p, s, x):
    parts = x if isinstance(x, tuple) else (x,)
    ids, *rest = parts
    table = p["embedding"]
    masked = any(not v.floats for v in rest)
    padding = "" if layer.padding is None else f", padding_idx={layer.padding}"
    options = f'{layer.count}, {layer.size}, mode="{layer.mode}"{padding}'
    if not masked:
        name = w.submodule(f"nn.EmbeddingBag({options})", {"weight": table})
        given = ", ".join(["{}", *("per_sample_weights={}" for _ in rest)])
        return w.made(f"self.{name}({given})", *parts, shape=(ids.shape[0], layer.size), dtype=table.dtype)
    name = w.submodule(f"nn.Embedding({layer.count}, {layer.size})", {"weight": table})
    real = next(v for v in rest if not v.floats)
    weights = next((v for v in rest if v.floats), None)
    more = f", padding={layer.padding}" if layer.padding is not None else ""
    operands = [ids, real, *([] if weights is None else [weights])]
    more += "" if weights is None else ", weights={}"
    text = f'{w.part("masked_bag")}(self.{name}, {{}}, {{}}, mode="{layer.mode}"{more})'
    return w.made(text, *operands, shape=(ids.shape[0], layer.size), dtype=table.dtype)


@writes(learned_scale, learned_bias)
def per_channel(w, layer, p, s, x):
    key, sign = ("scale", "*") if isinstance(layer, learned_scale) else ("bias", "+")
    return w.call(x, f"{{}} {sign} {w.parameter(p[key], key)}", shape=w.out(layer, x).shape)


@writes(class_token)
def prepended(w, layer, p, s, x):
    token = w.parameter(p["token"], "token")
    shape = (x.shape[0], x.shape[1] + layer.count, *x.shape[2:])
    return w.call(x, f"torch.cat([{token}.expand({{}}.shape[0], -1, -1), {{}}], 1)", shape=shape)


@writes(parameter)
def bare(w, layer, p, s, x):
    return _alone(w, layer, w.parameter(p["value"], "value"), x)


@writes(buffer)
def held(w, layer, p, s, x):
    return _alone(w, layer, w.constant(s["value"], "value"), x)


def _alone(w, layer, name, x):
    out = w.out(layer, x)
    batch = f".expand({{}}.shape[0]{', -1' * len(layer.shape)})" if layer.batch else ""
    return w.made(f"{name}{batch}", x, shape=out.shape, dtype=out.dtype)


@writes(fixed_rows)
def rows(w, layer, p, s, x):
    table, index = w.parameter(p["embedding"], "embedding"), w.constant(s["index"], "index")
    out = w.out(layer, x)
    return w.made(f"F.embedding({index}, {table})", x, shape=out.shape, dtype=out.dtype)


@writes(bilinear)
def two_sided(w, layer, p, s, x):
    a, b = x
    weights = {"weight": p["kernel"].transpose(2, 0, 1), **({"bias": p["bias"]} if layer.bias else {})}
    bias = "" if layer.bias else ", bias=False"
    name = w.submodule(f"nn.Bilinear({a.shape[-1]}, {b.shape[-1]}, {layer.size}{bias})", weights)
    y = w.made(f"self.{name}({{}}, {{}})", a, b, shape=(*a.shape[:-1], layer.size))
    return w.inside("activation", layer.activation, p, y)


@writes(einsum)
def summed(w, layer, p, s, x):
    kernel = w.parameter(p["kernel"], "kernel")
    out = w.out(layer, x)
    y = w.call(x, f'torch.einsum("{layer.equation}", {{}}, {kernel})', shape=out.shape)
    if layer.bias:
        bias = layer.bias_along(p["bias"], y.ndim)
        y = w.call(y, f"{{}} + {w.parameter(bias, 'bias')}")
    return w.inside("activation", layer.activation, p, y)


@writes(mixture)
def mixed(w, layer, p, s, x):
    """Every expert in an `nn.ModuleList`, and the weights of each by a gate."""
    x = w.named(x)

    def expert(i: int) -> tuple:
        own, held = jax.tree.map(lambda a: a[i], (p["expert"], s.get("expert", {})))
        with w.at("expert"):
            return w.apart(layer.expert, lambda x: w.named(w.layer(layer.expert, own, held, x)), x, "expert")

    text, _, _, y = expert(0)
    if text is None or not isinstance(y, Value):
        raise ExportError("experts with parameters", str(layer.expert))
    weights = {f"{i}.{name}": a for i in range(layer.experts) for name, a in expert(i)[1].items()}
    name = w.submodule(f"nn.ModuleList({text} for _ in range({layer.experts}))", weights, "expert")
    with w.at("gate"):
        gate = w.module(x, f"nn.Linear({x.shape[-1]}, {layer.experts}, bias=False)", {"weight": p["gate"]["kernel"].T})
    top = "" if layer.top is None else f", {layer.top}"
    made = f"{w.part('mixture')}([expert({{}}) for expert in self.{name}], {{}}{top})"
    return w.made(made, x, gate, shape=(*x.shape[:-1], y.shape[-1]))
