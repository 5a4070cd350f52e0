"""Cases of convolution."""

import torch.nn.functional as F

from compose import conv, conv_transpose, depthwise_conv, relu, separable_conv
from tests.cases.case import Case
from tests.cases.in_torch import in_torch, oihw

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def convolved(stride=1, padding=0, dilation=1, groups=1):
    def reference(p, s, x):
        return CONV[x.ndim - 2](x, oihw(p["kernel"]), p.get("bias"), stride, padding, dilation, groups)

    return in_torch(reference)


def padded(before_after, **options):
    """With padding in the order of `F.pad`, last axis first."""
    return in_torch(lambda p, s, x: convolved(**options).fn(p, s, F.pad(x, before_after)))


def transposed(stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    def reference(p, s, x):
        kernel = turned(p["kernel"], groups)
        return TRANSPOSE[x.ndim - 2](x, kernel, p.get("bias"), stride, padding, output_padding, groups, dilation)

    return in_torch(reference)


def turned(kernel, groups):
    """Our kernel `(*space, in / groups, out)` as torch's `(in, out / groups, *space)`, turned around in space."""
    rank = kernel.ndim - 2
    split = kernel.flip(*[[*range(rank)]]).unflatten(-1, (groups, -1))
    return split.permute(rank + 1, rank, rank + 2, *range(rank)).flatten(0, 1)


def separable(p, s, x):
    between = CONV[x.ndim - 2](x, oihw(p["depthwise"]["kernel"]), groups=x.shape[1], padding="same")
    return CONV[x.ndim - 2](between, oihw(p["pointwise"]["kernel"]), p["pointwise"]["bias"])


STEPS, IMAGE, VOLUME = ((2, 9, 4),), ((2, 7, 8, 4),), ((2, 4, 5, 6, 4),)

CASES = [
    Case(conv(6, 3), STEPS, convolved(padding=1)),
    Case(conv(6, 3, relu, stride=2, padding=1), IMAGE, in_torch(lambda p, s, x: convolved(2, 1).fn(p, s, x).relu())),
    Case(conv(6, 3, stride=2), IMAGE, padded((0, 1, 1, 1), stride=2)),
    Case(conv(6, (2, 3, 2), padding="valid", groups=2, bias=False), VOLUME, convolved(groups=2)),
    Case(conv(6, 3, padding="causal", dilation=2), STEPS, padded((4, 0), dilation=2)),
    Case(conv(6, 1), IMAGE, convolved()),
    Case(depthwise_conv(3, padding=1), IMAGE, convolved(padding=1, groups=4)),
    Case(separable_conv(6, 3, multiplier=2), IMAGE, in_torch(separable)),
    Case(conv_transpose(6, 4, stride=2, padding=1), IMAGE, transposed(2, 1)),
    Case(conv_transpose(6, 3, stride=2), STEPS, in_torch(lambda p, s, x: transposed(2).fn(p, s, x)[..., :-1])),
]

OPTIONS = [
    *(Case(conv(6, 3, padding="valid"), shape, convolved()) for shape in (STEPS, IMAGE, VOLUME)),
    *(Case(conv(6, 1, padding=0), shape, convolved()) for shape in (STEPS, IMAGE, VOLUME)),
    *(Case(conv_transpose(6, 3, padding=0), shape, transposed()) for shape in (STEPS, IMAGE, VOLUME)),
    *(Case(depthwise_conv(3), shape, convolved(padding=1, groups=4)) for shape in (STEPS, IMAGE, VOLUME)),
    Case(conv(6, 1, stride=2), IMAGE, convolved(2)),
    Case(conv(6, 1, stride=(1, 2), groups=2), IMAGE, convolved((1, 2), groups=2)),
    Case(conv(6, 1, padding=1), IMAGE, convolved(padding=1)),
    Case(conv(6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 3)), IMAGE, convolved((2, 1), (1, 0), (1, 3))),
    Case(conv(6, 3, padding=((0, 2), (1, 3))), IMAGE, padded((1, 3, 0, 2))),
    Case(conv(8, 3, padding=1, groups=4), IMAGE, convolved(padding=1, groups=4)),
    Case(conv(4, 3, padding=1, groups=4), IMAGE, convolved(padding=1, groups=4)),
    Case(conv(48, 3, padding=1, groups=6), ((2, 5, 4, 48),), convolved(padding=1, groups=6)),
    Case(depthwise_conv(8, padding=4), IMAGE, convolved(padding=4, groups=4)),
    Case(depthwise_conv((2, 3), multiplier=3, stride=(2, 1), padding=1), IMAGE, convolved((2, 1), 1, groups=4)),
    Case(depthwise_conv(3, padding=2, dilation=2, bias=False), IMAGE, convolved(padding=2, dilation=2, groups=4)),
    Case(conv_transpose(6, 3, stride=2, padding=1, output_padding=1), IMAGE, transposed(2, 1, 1)),
    Case(conv_transpose(6, 2, stride=3, padding=0, output_padding=(0, 1)), IMAGE, transposed(3, 0, (0, 1))),
    Case(conv_transpose(6, 3, stride=2, padding=1, groups=2, bias=False), IMAGE, transposed(2, 1, groups=2)),
    Case(conv_transpose(6, (3, 2), padding=1, dilation=(1, 2)), IMAGE, transposed(padding=1, dilation=(1, 2))),
]
