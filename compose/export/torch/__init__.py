"""PyTorch, as source: a module that a person could have written, with its weights beside it."""

from __future__ import annotations

import os
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.atomic import replacing
from compose.core.layer import Layer
from compose.core.run import arguments
from compose.export.errors import ExportError
from compose.export.exported import Exported
from compose.export.proof import Report

if TYPE_CHECKING:
    import torch

MISSING = "torch and safetensors: pip install 'compose-jax[torch]'"


@dataclass(frozen=True, repr=False)
class TorchExport(Exported):
    """A PyTorch module as text and weights.

    Attributes:
        source: the text of the Python file.
        weights: the `state_dict`, by name.
        report: the proof, or None if it was left out.
    """

    source: str
    weights: dict[str, torch.Tensor]
    report: Report | None

    def module(self) -> torch.nn.Module:
        """The module that the file defines, with the weights, in inference mode."""
        made: Any = types.ModuleType("network")
        exec(compile(self.source, "network.py", "exec"), made.__dict__)
        module = made.Network()
        if any(t.dtype.itemsize == 8 for t in self.weights.values() if t.is_floating_point()):
            module = module.double()
        module.load_state_dict(self.weights, strict=True)
        return module.eval()

    def save(self, path: str | os.PathLike) -> None:
        """Write the file, and its weights beside it as `<name>_weights.safetensors`, each atomically."""
        from safetensors.torch import save

        beside = weights_beside(Path(path))
        with replacing(beside) as file:
            file.write(save({k: v.contiguous() for k, v in self.weights.items()}))
        with replacing(path) as file:
            file.write(self.source.replace(weights_beside(Path("network.py")).name, beside.name).encode())

    @property
    def title(self) -> str:
        return f"PyTorch, {self.source.count(chr(10))} lines, {len(self.weights)} tensors"


def weights_beside(path: Path) -> Path:
    """The file of the weights of a source file."""
    return path.with_name(f"{path.stem}_weights.safetensors")


def to_torch(
    net: Layer,
    params: Any,
    state: Any,
    inputs: Any,
    path: str | os.PathLike | None = None,
    *,
    batch: int | None = None,
    proof: bool = True,
) -> TorchExport:
    """Write a network as PyTorch source: an `nn.Module` called `Network`, and a `state_dict` that it loads strictly.

    Submodules have the names of the paths, layers are those of `torch.nn` where they compute the same, sequences are
    `nn.Sequential`. Inputs and outputs keep the axes of the network, channels last; inside, convolutions have their
    channels first, as torch's do. What changes data in training alone, such as augmentation, is left out.

    The proof runs the file in float64 at three batch sizes, and compares outputs and the gradients of all parameters.

    Args:
        inputs: an example array or `jax.ShapeDtypeStruct`, or a tuple of them; arrays are what the proof runs on.
        path: where to write the file, `net.py`; its weights are written to `net_weights.safetensors`.
        batch: None for any batch size, or a fixed one.
        proof: whether to run the file and compare.

    Raises `ExportError`, with the path and the expression, for a word that has no rule for PyTorch, and if the module
    computes something else than the network.
    """
    try:
        import safetensors.torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ExportError(MISSING) from None
    from compose.export.source.prove import proven
    from compose.export.torch.convert import source_of, tensors
    from compose.export.torch.prove import TorchRun

    given = arguments(inputs)
    source, weights = source_of(net, params, state, given)
    made = TorchExport(source, tensors(weights), None)
    if proof:
        weights_of = lambda *given: source_of(net, *given)[1]
        report = proven(net, params, state, given, TorchRun(made), weights_of, batch)
        made = TorchExport(source, made.weights, report)
    if path is not None:
        made.save(path)
    return made


__all__ = ["TorchExport", "to_torch"]
