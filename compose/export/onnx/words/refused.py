"""Words without nodes: traced, they would be written as operations that ONNX runtimes refuse when they run."""

from __future__ import annotations

from compose.combinators.choose import choose
from compose.export.errors import ExportError
from compose.export.onnx.registry import writes
from compose.layers.conv.given import convolve_with
from compose.layers.indexing import index_axes, index_update


@writes(choose, convolve_with, index_axes, index_update)
def refused(writer, layer, p, s, *x):
    raise ExportError("a word that ONNX has nodes for", layer.kind)
