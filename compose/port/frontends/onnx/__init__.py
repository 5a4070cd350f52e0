"""From ONNX: files of any exporter, read node by node."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from compose.core.errors import PortError
from compose.port.frontends.onnx.registry import registry
from compose.port.lowering.unsupported import NoValue
from compose.port.ported import Ported
from compose.port.structure.sharing import with_values


def from_onnx(source: Any, *inputs: Any, channels_first: bool = False, partial: bool = False) -> Ported:
    """Port an ONNX model to one expression with its weights.

    Args:
        source: the path of a file, whose external data lies beside it, or an `onnx.ModelProto`.
        inputs: example arrays, batch first; needed where the file leaves other sizes than the batch open.
        channels_first: keep the file's axes of inputs and outputs, at the price of a transposition; by
            default images are `(batch, height, width, channels)` here.
        partial: where operations are missing, list them all in one error with the nodes that ask for them.

    Initialisers are the parameters, and keep their names. An ONNX file has no gradients and no training: the proof
    takes its outputs from onnx's own reference in float64, which runs the file in the opset that it came in, and its
    gradients by central differences; there is no `verify("step")`. Where onnxruntime is installed and runs the file,
    the reference is compared with it.

    Returns a `compose.port.Ported`: `net, params, state, source, verify(...), save(...)`.

    Raises `PortError` for a file that cannot be read, an operation without a rule, or an `onnx` that is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise PortError("onnx, to read its files: pip install 'compose-jax[onnx]'") from None
    from compose.port.frontends.onnx.capture import load
    from compose.port.frontends.onnx.float64 import widened
    from compose.port.frontends.onnx.reference import OnnxModel

    file = load(source)
    wide: onnx.ModelProto = widened(file.read)
    name = Path(source).stem if isinstance(source, (str, Path)) else file.read.graph.name or "model"
    forms = [wide] if file.plain is file.read else [widened(file.plain), wide]

    def port(apart: frozenset[str]) -> Ported:
        examples, graph = _read(file.read, wide, inputs, name, channels_first, partial, apart)
        return Ported.of(graph, OnnxModel(forms, examples, graph, source), "onnx")

    return with_values(port)


def _read(
    model: Any, wide: Any, inputs: tuple, name: str, channels_first: bool, partial: bool, apart: frozenset[str]
) -> Any:
    from compose.port.frontends.onnx.batch import BatchError
    from compose.port.frontends.onnx.examples import examples_and_sizes, is_open
    from compose.port.frontends.onnx.lengths import with_lengths
    from compose.port.frontends.onnx.model import array

    registry.load()
    examples, attempts = examples_and_sizes(model, inputs)
    arrays = {tensor.name: array(tensor) for tensor in model.graph.initializer}
    for i, sizes in enumerate(attempts):
        free = i < len(attempts) - 1
        try:
            low, graph = _lowered(model, wide, sizes, arrays, name, channels_first, free, apart)
        except NoValue:
            raise
        except PortError as e:
            if not free or (isinstance(e, BatchError) and is_open(model)):
                raise
            continue
        low.refuse(partial)
        options = {"arrays": arrays, "name": name, "channels_first": channels_first, "free": free, "apart": apart}
        return examples, with_lengths(graph, model, sizes, functools.partial(_lowered, model, wide, **options))


def _lowered(
    model: Any, wide: Any, sizes: Any, arrays: Any, name: str, channels_first: bool, free: bool, apart: frozenset[str]
) -> Any:
    """The graph, with those operations written out by the standard whose form no rule says."""
    from compose.port.frontends.onnx.batch import note_varying, with_second
    from compose.port.frontends.onnx.constant_folding import folded
    from compose.port.frontends.onnx.lower import FormError, OnnxLowering
    from compose.port.frontends.onnx.passes import simplified

    expand: frozenset[str] = frozenset()
    refusal: PortError | None = None
    while True:
        try:
            read = folded(wide, sizes, expand)
            if free:
                note_varying(read, folded(wide, with_second(sizes), expand))
            low = OnnxLowering(simplified(read), arrays, model.producer_name == "pytorch", channels_first, apart)
            graph = low.run(name)
            if not (low.missing and refusal):
                return low, graph
            raise refusal
        except FormError as e:
            refusal, expand = refusal or e.refusal, expand | {e.output}
        except NoValue:
            raise
        except PortError as e:
            raise (refusal or e) from None
