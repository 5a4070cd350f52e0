"""Attention as torch's own where it computes the same, else as a module that the file holds."""

from __future__ import annotations

import jax.numpy as jnp

from compose.combinators.branch import identity
from compose.export.errors import ExportError
from compose.export.source.text import number, options
from compose.export.source.value import Value
from compose.export.torch.registry import writes
from compose.layers.attention.dot_product import is_added, scaled_dot_product_attention, split_attention
from compose.layers.attention.multi_head import multi_head_attention
from compose.layers.attention.score import additive_attention, dot_attention
from compose.layers.attention.window import Windowed, window_bias
from compose.layers.attention.window_cosine import cosine_window_bias
from compose.layers.position import alibi, learned_positions, relative_bias, rotary, sinusoidal_positions

NAMES = ("query", "key", "value")


@writes(multi_head_attention)
def multi_head(w, layer, p, s, x):
    if layer.cache is not None:
        raise ExportError("a layer whose state stays the same", f"cache={layer.cache}", "export it without cache")
    if layer.gate:
        raise ExportError("attention without a gate", "gate=True")
    query, key, value, mask, _ = split_attention(x)
    if is_added(mask):
        raise ExportError("attention without numbers that are added to its scores", str(layer))
    out = w.out(layer, x)
    if mask is None and usual(layer, query, key, value):
        return native(w, layer, p, query, key, value, out)
    text, weights = module_of(w, layer, p, query, key, value)
    name = w.submodule(text, weights)
    given = [str(w.named(v)) for v in dict.fromkeys((query, key, value))]
    given += [given[-1]] if len(given) == 2 and value.text == key.text else []
    given += [] if mask is None else [f"mask={w.named(mask)}"]
    return w.called(f"self.{name}({', '.join(given)})", out)


def usual(layer, query, key, value) -> bool:
    """Whether `nn.MultiheadAttention` computes the layer."""
    n = query.shape[-1]
    plain = layer.rotary is None and layer.scores is identity and layer.window is None and layer.scale is None
    sizes = layer.sizes(n) == (n // layer.heads,) * 2 and n % layer.heads == 0 and layer.size in (None, n)
    same = layer.groups == layer.heads and {key.shape[-1], value.shape[-1]} == {n} and not layer.return_weights
    biases = layer.bias == layer.out_bias and (layer.key_bias or not layer.bias)
    return plain and sizes and same and biases and not (layer.causal and query.shape[1] != key.shape[1])


def native(w, layer, p, query, key, value, out):
    n = query.shape[-1]
    weights = {
        "in_proj_weight": jnp.concatenate([p[f"{k}_kernel"].T for k in NAMES]), "out_proj.weight": p["out_kernel"].T,
    }  # fmt: skip
    if layer.bias:
        weights |= {
            "in_proj_bias": jnp.concatenate([p[f"{k}_bias"] for k in NAMES]), "out_proj.bias": p["out_bias"],
        }  # fmt: skip
    options_ = (f", dropout={layer.dropout!r}" if layer.dropout else "") + ("" if layer.bias else ", bias=False")
    name = w.submodule(f"nn.MultiheadAttention({n}, {layer.heads}{options_}, batch_first=True)", weights)
    query, key, value = (w.named(v) for v in (query, key, value))
    causal = f", attn_mask={w.part('causal_mask')}({query})" if layer.causal else ""
    text = f"self.{name}({query}, {key}, {value}{causal}, need_weights=False)[0]"
    return Value(text, out.shape, out.dtype)


def module_of(w, layer, p, query, key, value) -> tuple[str, dict]:
    """The module that the file holds for attention of any kind, and its weights."""
    weights: dict = {}
    linear = []
    for name, part in zip(NAMES, (query, key, value)):
        kernel = p[f"{name}_kernel"]
        weights[f"{name}.weight"] = kernel.T
        if f"{name}_bias" in p:
            weights[f"{name}.bias"] = p[f"{name}_bias"]
        linear.append(f"nn.Linear({part.shape[-1]}, {kernel.shape[1]}{'' if f'{name}_bias' in p else ', bias=False'})")
    wide, size = p["out_kernel"].shape
    weights["out.weight"] = p["out_kernel"].T
    if layer.out_bias:
        weights["out.bias"] = p["out_bias"]
    linear.append(f"nn.Linear({wide}, {size}{'' if layer.out_bias else ', bias=False'})")
    given = {
        "groups": (layer.groups, layer.heads), "causal": (layer.causal, False), "window": (layer.window, None),
        "scale": (layer.scale, None), "dropout": (layer.dropout, 0.0), "empty": (layer.empty, "zeros"),
        "return_weights": (layer.return_weights, False),
    }  # fmt: skip
    more = [f"{k}={v!r}".replace("'", '"') for k, (v, usually) in given.items() if v != usually]
    if layer.rotary is not None:
        more.append(f"rotary={function_of(w, layer.rotary)}")
    if layer.scores is not identity:
        text, own = scores_of(w, layer.scores, p.get("scores", {}), layer.heads)
        more.append(f"scores={text}")
        weights |= {f"scores.{k}": v for k, v in own.items()}
    return f"{w.part('MultiHeadAttention')}({layer.heads}, {', '.join([*linear, *more])})", weights


def function_of(w, layer) -> str:
    """What turns queries and keys, as a function."""
    if isinstance(layer, rotary):
        return f"{w.part('Rotary')}({layer.base!r}, {layer.size!r}, {layer.interleaved!r})"
    made = w.layer(layer, {}, {}, Value("x", (1, 1, 1, 1), "float32"))
    return f"lambda x: {made}"


def scores_of(w, layer, p, heads: int) -> tuple[str, dict]:
    """A module for the scores `(batch, heads, queries, keys)`, and its weights."""
    if isinstance(layer, alibi):
        return f"{w.part('Alibi')}()", {}
    if isinstance(layer, relative_bias):
        text = f"{w.part('RelativeBias')}({layer.buckets}, {heads}, {layer.max_distance}, {layer.causal})"
        return text, {"embedding": p["embedding"]}
    if isinstance(layer, window_bias):
        return f"{w.part('WindowBias')}({layer.window}, {heads})", {"embedding": p["embedding"]}
    if isinstance(layer, cosine_window_bias):
        return f"{w.part('CosineWindowBias')}({layer.window}, {layer.hidden}, {heads})", dict(p)
    if any(leaf for leaf in p):
        raise ExportError("scores that have a module", str(layer))
    made = w.layer(layer, {}, {}, Value("x", (1, heads, 1, 1), "float32"))
    return f"lambda x: {made}", {}


@writes(alibi, relative_bias, window_bias, cosine_window_bias)
def scored(w, layer, p, s, x):
    if isinstance(x, tuple):
        raise ExportError("scores without positions", str(layer))
    text, weights = scores_of(w, layer, p, x.shape[1])
    return w.module(x, text, weights)


@writes(rotary)
def turned(w, layer, p, s, x):
    if isinstance(x, tuple):
        raise ExportError("queries without positions", str(layer))
    return w.module(x, function_of(w, layer))


@writes(Windowed)
def windowed(w, layer, p, s, x):
    inner, n = layer.attention, x.shape[-1]
    part = Value("", (x.shape[0], layer.window**2, n), x.dtype)
    text, weights = module_of(w, inner, p["attention"], part, part, part)
    made = f"{w.part('WindowAttention')}({text}, {layer.window}, {layer.shift})"
    return w.module(x, made, {f"attention.{k}": v for k, v in weights.items()})


@writes(scaled_dot_product_attention)
def dot_product(w, layer, p, s, x):
    given = options(layer)
    q, k, v = (w.named(a) for a in x[:3])
    out = w.out(layer, x)
    more = ", is_causal=True" if given.get("causal") else ""
    more += f", scale={given['scale']!r}" if given.get("scale") is not None else ""
    more += ", enable_gqa=True" if q.shape[2] != k.shape[2] else ""
    if len(x) == 4:
        raise ExportError("attention without a mask", str(layer))
    turned_ = ", ".join(f"{a}.transpose(1, 2)" for a in (q, k, v))
    return Value(f"F.scaled_dot_product_attention({turned_}{more}).transpose(1, 2)", out.shape, out.dtype)


@writes(dot_attention, additive_attention)
def unprojected(w, layer, p, s, x):
    query, key, value, mask, _ = split_attention(x)
    additive = isinstance(layer, additive_attention)
    part = w.part("AdditiveAttention" if additive else "DotAttention")
    size = str(query.shape[-1]) if additive and layer.scale else "True" if layer.scale else "None"
    more = ", causal=True" if layer.causal else ""
    more += f", dropout={layer.dropout!r}" if layer.dropout else ""
    more += ", return_weights=True" if layer.return_weights else ""
    name = w.submodule(f"{part}({size}{more})", dict(p))
    given = [str(w.named(v)) for v in (query, key, value)] + ([] if mask is None else [f"mask={w.named(mask)}"])
    return w.called(f"self.{name}({', '.join(given)})", w.out(layer, x))


@writes(learned_positions, sinusoidal_positions)
def positions(w, layer, p, s, x):
    if layer.cache is not None:
        raise ExportError("a layer whose state stays the same", f"cache={layer.cache}", "export it without cache")
    if isinstance(layer, learned_positions):
        table = w.parameter(p["embedding"], "embedding")
        return w.call(x, f"{{}} + {table}[: {{}}.shape[1]]")
    return w.call(x, f"{w.part('sinusoidal')}({{}}, {number(layer.base)}, {layer.interleaved})")
