"""The commands and their options. Each command's code is in its own file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import compose
from compose.core.errors import ComposeError, LayerError, PortError

app = typer.Typer(
    help="Neural networks as expressions, on JAX.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

porting = typer.Typer(help="Port a model from another framework, and prove it equal.", no_args_is_help=True)
app.add_typer(porting, name="port")

ModelFile = Annotated[Path, typer.Argument(metavar="FILE", help="A model file, written by trained.save.")]
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


def main() -> None:
    """Run the command line. Errors are one line on stderr with exit status 1; bad usage has exit status 2.

    Port errors are shown in full: the table of the proof, or everything that is missing.
    """
    try:
        app(prog_name="compose")
    except (ComposeError, OSError) as e:
        print(f"compose: {_message(e)}", file=sys.stderr)
        sys.exit(1)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"compose {compose.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The options of `compose` itself."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder for the image and the model files.")] = Path("."),
    download: Annotated[bool, typer.Option("--download", help="Download MNIST (11 MB) if it is not found.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs to train each network.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for weights and shuffling.")] = 0,
) -> None:
    """Train an autoencoder and a classifier on handwritten digits."""
    from compose.cli.demo import run

    run(out, download, epochs, seed)


@app.command()
def summary(file: ModelFile) -> None:
    """Show the network in a model file: its expression, its layers, its training."""
    from compose.cli.show import show

    show(file)


@app.command()
def predict(
    file: ModelFile,
    input: Annotated[Path, typer.Argument(metavar="INPUT", help="Examples: .npy, .npz, .csv, or an image file.")],
    out: Annotated[Path | None, typer.Option(help="Write to this .npy, .npz or .csv file instead of printing.")] = None,
    label: Annotated[bool, typer.Option("--label", help="Print only the index of the largest output.")] = False,
) -> None:
    """Run a model file on examples, and print one row of numbers per example."""
    from compose.cli.predict import predict

    predict(file, input, out, label)


@app.command()
def export(
    file: ModelFile,
    to: Annotated[Literal["onnx", "stablehlo", "torch"], typer.Option("--to", help="The format.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The file to write; beside FILE without.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="A fixed batch size; any without.")] = None,
    opset: Annotated[int | None, typer.Option(help="ONNX: the version of the operators.")] = None,
    half: Annotated[bool, typer.Option("--half", help="ONNX: compute in float16.")] = False,
    int8: Annotated[
        Path | None, typer.Option(metavar="INPUT", help="ONNX: quantize, with typical inputs in this file.")
    ] = None,
) -> None:
    """Write a model file in another format, which runs without this package, and prove it equal."""
    from compose.cli.export import export

    export(file, to, out, batch, opset, half, int8)


def _porter(framework: str, what: str) -> None:
    """Add the command `compose port FRAMEWORK`; `what` describes its MODEL argument."""

    @porting.command(framework, help=f"Port {what}. The exit status is 0 if the port is proven equal.")
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


_porter("torch", "the torch.nn.Module that MODULE:CALLABLE returns, when called without arguments")
_porter("keras", "the keras.Model that MODULE:CALLABLE returns; only subclassed models need --input")
_porter("flax", "the NNX module that MODULE:CALLABLE returns, or the pair of a Linen module and its variables")
_porter(
    "tf", "the SavedModel in a folder, or the function or tf.Module that MODULE:CALLABLE returns, which needs --input"
)
_porter("onnx", "an ONNX file; --input is needed only if sizes other than the batch size are dynamic")


def _message(error: Exception) -> str:
    if isinstance(error, PortError):
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    lines = str(error).splitlines() or [type(error).__name__]
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    hint = f"; {error.hint}" if isinstance(error, LayerError) and error.hint else ""
    return lines[0] + hint
