"""Cases of the embedding layers."""

import numpy as np
from torch.nn import functional as F

from compose import compose_seq, embedding, embedding_bag, fc, share
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

IDS = np.array([[1, 0, 2, 5], [4, 5, 5, 0], [0, 0, 0, 0]])
LENGTHS = np.array([2, 4, 1])


def torch_bag(mode, padding=None):
    def reference(p, s, ids, weights=None):
        return F.embedding_bag(ids, p["embedding"], mode=mode, per_sample_weights=weights, padding_idx=padding)

    return in_torch(reference, turned=False)


def torch_cut_bag(p, s, ids, lengths):
    import torch

    flat = torch.cat([row[:n] for row, n in zip(ids, lengths)])
    offsets = torch.cumsum(lengths, 0) - lengths
    return F.embedding_bag(flat, p["embedding"], offsets, mode="mean")


def tied(p, s, ids):
    table = p["embedding_0"]["embedding"]
    return (F.embedding(ids, table) @ p["seq_0"]["fc_0"]["kernel"]) @ table.T


torch_lookup = in_torch(lambda p, s, ids: F.embedding(ids, p["embedding"]), turned=False)
torch_padded = in_torch(lambda p, s, ids: F.embedding(ids, p["embedding"], padding_idx=5), turned=False)

CASES = [
    Case(embedding(6, 3), (IDS,), torch_lookup),
    Case(embedding(6, 3, padding=5), (IDS,), torch_padded, grad=False),
    Case(embedding_bag(6, 3), (IDS,), torch_bag("mean")),
    Case(embedding_bag(6, 3, "max", padding=0), (IDS,), torch_bag("max", 0)),
    Case(
        share(embedding(6, 3), lambda e: compose_seq(e, fc(3, bias=False), e.attend)),
        (IDS,),
        in_torch(tied, turned=False),
    ),
]

OPTIONS = [
    Case(embedding_bag(6, 3, "sum"), (IDS,), torch_bag("sum")),
    Case(embedding_bag(6, 3, "sum"), (IDS, (3, 4)), torch_bag("sum")),
    Case(embedding_bag(6, 3, "max"), (IDS,), torch_bag("max")),
    Case(embedding_bag(6, 3, "mean", padding=5), (IDS,), torch_bag("mean", 5)),
    Case(embedding_bag(6, 3), (IDS, LENGTHS), in_torch(torch_cut_bag, turned=False)),
]
