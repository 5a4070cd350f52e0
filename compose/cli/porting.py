"""`compose port` and its options, with one command for each framework."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

porting = typer.Typer(help="Port a model from another framework, and prove it equal.", no_args_is_help=True)

Target = Annotated[str, typer.Argument(metavar="MODEL")]
Shapes = Annotated[list[str] | None, typer.Option("--input", help="Shape of an input, batch first; once per input.")]
Dtypes = Annotated[
    list[str] | None,
    typer.Option("--dtype", help="Dtype of the inputs, such as int64: one, or one per input; default float32."),
]
Level = Annotated[
    Literal["weights", "outputs", "gradients", "step", "steps"],
    typer.Option("--verify", help="What the proof covers; each level includes the previous ones."),
]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write the port to this folder instead of printing it.")]
Check = Annotated[bool, typer.Option("--check", help="Only list all operations without a rule.")]


def _porter(framework: str, what: str, example: str) -> None:
    """Add the command `compose port FRAMEWORK`; `what` describes its MODEL argument."""

    @porting.command(
        framework, epilog=f"Example: {example}", help=f"Port {what}. The exit status is 0 if the port is proven equal."
    )
    def run(
        target: Target,
        input: Shapes = None,
        dtype: Dtypes = None,
        verify: Level = "gradients",
        out: Out = None,
        check: Check = False,
    ) -> None:
        from compose.cli.port import port

        port(framework, target, input or [], dtype or [], verify, out, check)


_porter(
    "torch",
    "the torch.nn.Module that MODULE:CALLABLE returns, when called without arguments",
    "compose port torch models:net --input 8,4 --out ported",
)
_porter(
    "keras",
    "the keras.Model that MODULE:CALLABLE returns; only subclassed models need --input",
    "compose port keras models:dense --out ported",
)
_porter(
    "flax",
    "the NNX module that MODULE:CALLABLE returns, or the pair of a Linen module and its variables",
    "compose port flax models:module --input 8,4 --out ported",
)
_porter(
    "tf",
    "the SavedModel in a folder, or the function or tf.Module that MODULE:CALLABLE returns, which needs --input",
    "compose port tf saved --out ported",
)
_porter(
    "onnx",
    "an ONNX file; --input is needed only if sizes other than the batch size are dynamic",
    "compose port onnx model.onnx --out ported",
)
_porter(
    "pretrained",
    "a pre-trained model by its name: timm/NAME, torchvision/NAME, keras/NAME or hf:NAME, also of a folder",
    "compose port pretrained hf:folder --out ported",
)
