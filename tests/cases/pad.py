"""Cases of padding, cropping, patches and pixels moved."""

import torch
import torch.nn.functional as F

from compose import (
    center_crop,
    channel_shuffle,
    crop,
    depth_to_space,
    fold,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    space_to_depth,
    unfold,
)
from tests.cases.case import Case
from tests.cases.in_torch import in_torch

MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def padded(widths, mode="constant", value=0.0):
    """Widths in the order of `F.pad`, last axis first."""
    return in_torch(lambda p, s, x: F.pad(x, widths, mode, value if mode == "constant" else None))


def cut(*slices):
    return in_torch(lambda p, s, x: x[(..., *slices)])


def unfolded(*args):
    def reference(p, s, x):
        flat = F.unfold(x, *args)
        probe = F.max_pool2d(x, args[0], args[3], args[2], args[1])
        return flat.reshape(*flat.shape[:2], *probe.shape[2:])

    return in_torch(reference)


def blocks(x):
    """`tf.nn.depth_to_space` by 2, channels first."""
    n, c, h, w = x.shape
    return torch.einsum("nabchw->nchawb", x.reshape(n, 2, 2, c // 4, h, w)).reshape(n, c // 4, 2 * h, 2 * w)


def unblocks(x):
    n, c, h, w = x.shape
    return torch.einsum("nchawb->nabchw", x.reshape(n, c, h // 3, 3, w // 3, 3)).reshape(n, 9 * c, h // 3, w // 3)


STEPS, IMAGE, VOLUME = ((2, 5, 3),), ((2, 6, 5, 4),), ((2, 4, 3, 5, 2),)

CASES = [
    Case(pad(((1, 2), 0), value=0.5), IMAGE, padded((0, 0, 1, 2), value=0.5)),
    Case(pad(2, "reflect"), STEPS, padded((2, 2), "reflect")),
    Case(crop(((1, 2), 1)), IMAGE, cut(slice(1, -2), slice(1, -1))),
    Case(center_crop((3, 2)), IMAGE, cut(slice(1, 4), slice(1, 3))),
    Case(unfold((2, 3)), IMAGE, unfolded((2, 3), 1, 0, 1)),
    Case(fold((6, 5), 2), ((2, 5, 4, 12),), in_torch(lambda p, s, x: F.fold(x.flatten(2), (6, 5), 2))),
    Case(pixel_shuffle(2), IMAGE, in_torch(lambda p, s, x: F.pixel_shuffle(x, 2))),
    Case(pixel_unshuffle(3), ((2, 6, 3, 2),), in_torch(lambda p, s, x: F.pixel_unshuffle(x, 3))),
    Case(depth_to_space(2), IMAGE, in_torch(lambda p, s, x: blocks(x))),
    Case(space_to_depth(3), ((2, 6, 3, 2),), in_torch(lambda p, s, x: unblocks(x))),
    Case(channel_shuffle(2), IMAGE, in_torch(lambda p, s, x: F.channel_shuffle(x, 2))),
]

OPTIONS = [
    *(
        Case(pad(1, mode), shape, padded((1, 1) * (len(shape[0]) - 2), theirs))
        for mode, theirs in MODES.items()
        for shape in (STEPS, IMAGE, VOLUME)
    ),
    Case(pad(((1, 2), (3, 0)), "wrap"), IMAGE, padded((3, 0, 1, 2), "circular")),
    Case(pad(((-1, 2), (0, -2))), IMAGE, padded((0, -2, -1, 2))),
    Case(pad(1), VOLUME, padded((1,) * 6)),
    Case(unfold((2, 3), (2, 1), 1, (1, 2)), IMAGE, unfolded((2, 3), (1, 2), 1, (2, 1))),
    Case(
        fold((6, 5), (2, 3), (2, 1), 1, (1, 2)),
        ((2, 4, 3, 12),),
        in_torch(lambda p, s, x: F.fold(x.flatten(2), (6, 5), (2, 3), (1, 2), 1, (2, 1))),
    ),
    Case(
        pixel_shuffle(2, channels_first=True),
        ((2, 8, 3, 5),),
        in_torch(lambda p, s, x: F.pixel_shuffle(x, 2), turned=False),
    ),
    Case(
        depth_to_space(2, channels_first=True),
        ((2, 8, 3, 5),),
        in_torch(lambda p, s, x: blocks(x), turned=False),
    ),
]
