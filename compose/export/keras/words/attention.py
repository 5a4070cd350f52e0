"""Attention as Keras's own where it computes the same, else as a layer that the file holds."""

from __future__ import annotations

from compose.combinators.branch import identity
from compose.export.errors import ExportError
from compose.export.keras.registry import writes
from compose.export.source.text import number, options
from compose.layers.attention.dot_product import is_added, scaled_dot_product_attention, split_attention
from compose.layers.attention.multi_head import multi_head_attention
from compose.layers.attention.score import additive_attention, dot_attention
from compose.layers.attention.window import Windowed, window_bias
from compose.layers.attention.window_cosine import cosine_window_bias
from compose.layers.position import alibi, learned_positions, relative_bias, rotary, sinusoidal_positions

NAMES = ("query", "key", "value")


def without_cache(layer) -> None:
    if layer.cache is not None:
        raise ExportError("a layer whose state stays the same", f"cache={layer.cache}", "export it without cache")


@writes(multi_head_attention)
def multi_head(w, layer, p, s, x):
    without_cache(layer)
    if layer.gate:
        raise ExportError("attention without a gate", "gate=True")
    query, key, value, mask, _ = split_attention(x)
    if is_added(mask):
        raise ExportError("attention without numbers that are added to its scores", str(layer))
    out = w.out(layer, x)
    query, key, value = (w.named(v) for v in (query, key, value))
    if mask is None and usual(layer, query, key):
        return native(w, layer, p, query, key, value, out)
    text, weights = layer_of(w, layer, p)
    made = w.made_layer(text, weights)
    given = [str(v) for v in (query, key, value)] + ([] if mask is None else [f"seen={w.named(mask)}"])
    return w.called(f"{made}({', '.join(given)})", out)


def usual(layer, query, key) -> bool:
    """Whether `layers.MultiHeadAttention` computes the layer."""
    plain = layer.rotary is None and layer.scores is identity and layer.window is None and layer.scale is None
    biases = layer.bias == layer.out_bias and (layer.key_bias or not layer.bias)
    same = layer.groups == layer.heads and not layer.return_weights
    return plain and same and biases and not (layer.causal and query.shape[1] != key.shape[1])


def native(w, layer, p, query, key, value, out):
    n, heads = query.shape[-1], layer.heads
    size, wide = (p[f"{k}_kernel"].shape[1] // heads for k in ("query", "value"))
    weights = {f"{k}/kernel": p[f"{k}_kernel"].reshape(-1, heads, wide if k == "value" else size) for k in NAMES}
    weights["attention_output/kernel"] = p["out_kernel"].reshape(heads, wide, -1)
    if layer.bias:
        weights |= {f"{k}/bias": p[f"{k}_bias"].reshape(heads, -1) for k in NAMES}
        weights["attention_output/bias"] = p["out_bias"]
    more = "" if wide == size else f", value_dim={wide}"
    more += "" if p["out_kernel"].shape[1] == n else f", output_shape={p['out_kernel'].shape[1]}"
    more += f", dropout={layer.dropout!r}" if layer.dropout else ""
    more += "" if layer.bias else ", use_bias=False"
    made = w.made_layer(f"layers.MultiHeadAttention({heads}, {size}{more})", weights)
    given = [str(query), str(value), *([f"key={key}"] if key.text != value.text else [])]
    given += ["use_causal_mask=True"] if layer.causal else []
    return w.called(f"{made}({', '.join(given)})", out)


def layer_of(w, layer, p) -> tuple[str, dict]:
    """The layer that the file holds for attention of any kind, and its weights."""
    weights = {f"{k}/kernel": p[f"{k}_kernel"] for k in (*NAMES, "out")}
    weights |= {f"{k}/bias": p[f"{k}_bias"] for k in (*NAMES, "out") if f"{k}_bias" in p}
    sizes = tuple(p[f"{k}_kernel"].shape[1] for k in (*NAMES, "out"))
    biases = tuple(f"{k}_bias" in p for k in (*NAMES, "out"))
    given = {
        "biases": (biases, (True,) * 4), "groups": (layer.groups, layer.heads), "causal": (layer.causal, False),
        "window": (layer.window, None), "scale": (layer.scale, None), "dropout": (layer.dropout, 0.0),
        "empty": (layer.empty, "zeros"), "return_weights": (layer.return_weights, False),
    }  # fmt: skip
    more = [f"{k}={v!r}".replace("'", '"') for k, (v, usually) in given.items() if v != usually]
    if layer.rotary is not None:
        more.append(f"rotary={function_of(w, layer.rotary)}")
    if layer.scores is not identity:
        text, own = scores_of(w, layer.scores, p.get("scores", {}), layer.heads, "scores")
        more.append(f"scores={text}")
        weights |= {f"scores/{k}": v for k, v in own.items()}
    return f"{w.part('MultiHeadAttention')}({', '.join([str(layer.heads), str(sizes), *more])})", weights


def function_of(w, layer) -> str:
    """What turns queries and keys, as a function."""
    if isinstance(layer, rotary):
        return f"{w.part('Rotary')}({layer.base!r}, {layer.size!r}, {layer.interleaved!r})"
    return w.function(layer, (1, 1, 1, 1))


def scores_of(w, layer, p, heads: int, name: str = "") -> tuple[str, dict]:
    """A layer for the scores `(batch, heads, queries, keys)`, and its weights."""
    called = f', name="{name}"' if name else ""
    if isinstance(layer, alibi):
        return f"{w.part('Alibi')}()", {}
    if isinstance(layer, relative_bias):
        text = f"{w.part('RelativeBias')}({layer.buckets}, {heads}, {layer.max_distance}, {layer.causal}{called})"
        return text, {"embedding": p["embedding"]}
    if isinstance(layer, window_bias):
        return f"{w.part('WindowBias')}({layer.window}, {heads}{called})", {"embedding": p["embedding"]}
    if isinstance(layer, cosine_window_bias):
        return f"{w.part('CosineWindowBias')}({layer.window}, {layer.hidden}, {heads}{called})", dict(p)
    if any(leaf for leaf in p):
        raise ExportError("scores that have a layer", str(layer))
    return w.function(layer, (1, heads, 1, 1)), {}


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
    """The attention layer, called on windows by a function around it."""
    text, weights = layer_of(w, layer.attention, p["attention"])
    x = w.named(x)
    rows = w.call(x, f"{w.part('to_windows')}({{}}, {layer.window}, {layer.shift})")
    rows, made, mask = w.named(rows), w.made_layer(text, weights), ""
    if layer.shift:
        mask = f", seen={w.part('window_mask')}({rows}, {tuple(x.shape[1:3])}, {layer.window}, {layer.shift})"
    y = w.named(w.call(rows, f"{made}({rows}, {rows}, {{}}{mask})"))
    return w.call(
        y, f"{w.part('from_windows')}({{}}, {tuple(x.shape[1:3])}, {layer.window}, {layer.shift})", shape=x.shape
    )


@writes(scaled_dot_product_attention)
def dot_product(w, layer, p, s, x):
    given = options(layer)
    if len(x) == 4:
        raise ExportError("attention without a mask", str(layer))
    out = w.out(layer, x)
    more = f", scale={given['scale']!r}" if given.get("scale") is not None else ""
    more += ", is_causal=True" if given.get("causal") else ""
    return w.made(f"ops.dot_product_attention({{}}, {{}}, {{}}{more})", *x[:3], shape=out.shape)


@writes(dot_attention, additive_attention)
def unprojected(w, layer, p, s, x):
    query, key, value, mask, _ = split_attention(x)
    additive = isinstance(layer, additive_attention)
    part = w.part("AdditiveAttention" if additive else "DotAttention")
    more = ["scale=True"] if layer.scale else []
    more += ["causal=True"] if layer.causal else []
    more += [f"dropout={layer.dropout!r}"] if layer.dropout else []
    more += ["return_weights=True"] if layer.return_weights else []
    made = w.made_layer(f"{part}({', '.join(more)})", dict(p))
    given = [str(w.named(v)) for v in (query, key, value)] + ([] if mask is None else [f"seen={w.named(mask)}"])
    return w.called(f"{made}({', '.join(given)})", w.out(layer, x))


@writes(learned_positions, sinusoidal_positions)
def positions(w, layer, p, s, x):
    without_cache(layer)
    x = w.named(x)
    if isinstance(layer, learned_positions):
        table = w.parameter(x, p["embedding"], "embedding")
        part = "{}" if table.shape[0] == x.shape[1] else f"ops.slice({{}}, (0, 0), {tuple(x.shape[1:])})"
        return w.made(f"{{}} + {part}", x, table)
    return w.call(x, f"{w.part('sinusoidal')}({{}}, {number(layer.base)}, {layer.interleaved})")
