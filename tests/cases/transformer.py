"""Cases of the transformer blocks and of what stands around them."""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from compose import (
    at,
    branch,
    compose_seq,
    decoder_block,
    encoder_block,
    fc,
    layer_norm,
    multi_head_attention,
    repeat,
    tanh,
    transformer,
    transformer_block,
)
from tests.cases.attention import torch_mha
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

LAYERS = {"attention": "self_attn", "cross_attention": "multihead_attn"}
LENGTHS = np.array([3, 4])
PAIRS = np.random.default_rng(0).random((2, 4, 4)) < 0.8
PAIRS[:, range(4), range(4)] = True


def torch_weights(p):
    """Our block's parameters under torch's names."""
    made = {}
    for ours, theirs in LAYERS.items():
        if ours in p:
            part = p[ours]
            kernels = [part[f"{n}_kernel"].T for n in ("query", "key", "value")]
            made[f"{theirs}.in_proj_weight"] = torch.cat(kernels)
            made[f"{theirs}.out_proj.weight"] = part["out_kernel"].T
            if "out_bias" in part:
                made[f"{theirs}.in_proj_bias"] = torch.cat([part[f"{n}_bias"] for n in ("query", "key", "value")])
                made[f"{theirs}.out_proj.bias"] = part["out_bias"]
    norms = [f"{n}_norm" for n in ("attention", "cross_attention", "mlp") if f"{n}_norm" in p]
    for i, name in enumerate(norms, 1):
        made[f"norm{i}.weight"] = p[name]["scale"]
        if "bias" in p[name]:
            made[f"norm{i}.bias"] = p[name]["bias"]
    for i in (1, 2):
        part = p["mlp"][f"fc_{i - 1}"]
        made[f"linear{i}.weight"] = part["kernel"].T
        if "bias" in part:
            made[f"linear{i}.bias"] = part["bias"]
    return made


def torch_block(kind, heads, hidden, causal=False, **options):
    def reference(p, s, x, memory=None, lengths=None):
        if memory is not None and memory.dtype == torch.bool:
            module = kind(x.shape[-1], heads, hidden, 0.0, batch_first=True, dtype=torch.float64, **options)
            return functional_call(module, torch_weights(p), (x,), {"src_mask": ~memory.repeat_interleave(heads, 0)})
        module = kind(x.shape[-1], heads, hidden, 0.0, batch_first=True, dtype=torch.float64, **options)
        mask = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1) if causal else None
        if memory is None:
            return functional_call(module, torch_weights(p), (x,), {"src_mask": mask})
        padding = None if lengths is None else torch.arange(memory.shape[1]) >= lengths[:, None]
        more = {"tgt_mask": mask, "memory_key_padding_mask": padding}
        return functional_call(module, torch_weights(p), (x, memory), more)

    return in_torch(reference, turned=False)


def twice(p, s, x, memory):
    block = torch_block(nn.TransformerDecoderLayer, 2, 6, causal=True).fn
    for i in range(2):
        x = block(pick(p["repeat_0"]["decoder_block_0"], i), s, x, memory)
    return x


def torch_transformer(p, s, source, target, lengths=None):
    module = nn.Transformer(4, 2, 2, 1, 6, 0.0, batch_first=True, dtype=torch.float64)
    weights = {}
    for side, depth, block in (("encoder", 2, "encoder_block_0"), ("decoder", 1, "decoder_block_0")):
        stack = p[side]["repeat_0"]
        for i in range(depth):
            one = pick(stack.get(block, stack), i)
            weights |= {f"{side}.layers.{i}.{name}": w for name, w in torch_weights(one).items()}
        weights |= {f"{side}.norm.weight": p[side]["layer_norm_0"]["scale"]}
        weights |= {f"{side}.norm.bias": p[side]["layer_norm_0"]["bias"]}
    padding = None if lengths is None else torch.arange(source.shape[1]) >= lengths[:, None]
    masks = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    causal = torch.triu(torch.ones(target.shape[1], target.shape[1], dtype=torch.bool), 1)
    return functional_call(module, weights, (source, target), {"tgt_mask": causal, **masks})


def pick(tree, i):
    return {k: pick(v, i) if isinstance(v, dict) else v[i] for k, v in tree.items()}


def wired(p, s, x):
    norm = lambda x, p: nn.functional.layer_norm(x, x.shape[-1:], p["scale"], p["bias"])
    h = x + torch_mha(2).fn(p["attention"], s, norm(x, p["attention_norm"]))
    return h + torch.tanh(norm(h, p["mlp_norm"]) @ p["mlp"]["kernel"] + p["mlp"]["bias"])


WHOLE = transformer(2, 6, dropout=0, depth=2, decoder_depth=1)
ENCODER, DECODER = nn.TransformerEncoderLayer, nn.TransformerDecoderLayer
X, MEMORY = (2, 5, 4), (2, 4, 4)
CASES = [
    Case(encoder_block(2, 6, dropout=0), (X,), torch_block(ENCODER, 2, 6)),
    Case(encoder_block(2, 6, pre_norm=True, causal=True), (X,), torch_block(ENCODER, 2, 6, True, norm_first=True)),
    Case(decoder_block(2, 6, dropout=0), (X, MEMORY), torch_block(DECODER, 2, 6, True)),
    Case(
        compose_seq(repeat(2, branch(decoder_block(2, 6, dropout=0), at("1"))), at("0")),
        (X, MEMORY),
        in_torch(twice, turned=False),
    ),
    Case(WHOLE, (MEMORY, X), in_torch(torch_transformer, turned=False)),
    Case(transformer_block(multi_head_attention(2), fc(4, tanh)), (X,), in_torch(wired, turned=False)),
]

OPTIONS = [
    Case(WHOLE, (MEMORY, X, LENGTHS), in_torch(torch_transformer, turned=False)),
    Case(encoder_block(2, 6, dropout=0), (MEMORY, PAIRS), torch_block(ENCODER, 2, 6)),
    Case(
        encoder_block(2, 6, dropout=0, bias=False, norm=layer_norm(bias=False, epsilon=1e-3)),
        (X,),
        torch_block(ENCODER, 2, 6, bias=False, layer_norm_eps=1e-3),
    ),
    Case(
        decoder_block(2, 6, pre_norm=True, causal=False, dropout=0),
        (X, MEMORY, LENGTHS),
        torch_block(DECODER, 2, 6, norm_first=True),
    ),
    Case(encoder_block(2, 6, "gelu", dropout=0), (X,), torch_block(ENCODER, 2, 6, activation="gelu")),
]
