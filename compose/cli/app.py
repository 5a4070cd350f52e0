"""The commands and their options; what they do is in a file each."""

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

porting = typer.Typer(help="Bring a model of another framework over, and prove it equal.", no_args_is_help=True)
app.add_typer(porting, name="port")

ModelFile = Annotated[Path, typer.Argument(metavar="FILE", help="A model file, as trained.save writes it.")]
Target = Annotated[str, typer.Argument(metavar="MODEL")]
Shapes = Annotated[list[str] | None, typer.Option("--input", help="Sizes of an input, batch first; one for each.")]
Dtypes = Annotated[
    list[str] | None, typer.Option("--dtype", help="Of the inputs, as int64: one, or one for each; else float32.")
]
Level = Annotated[
    Literal["weights", "outputs", "gradients", "step", "steps"],
    typer.Option("--verify", help="How far the proof goes; each level includes those before."),
]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write the port into this folder; else print it.")]
Check = Annotated[bool, typer.Option("--check", help="Only list what has no rule, all of it.")]


def main() -> None:
    """Run the command line: what goes wrong is one line on stderr and exit status 1, for bad usage 2.

    A model that cannot be ported, or is not proven equal, is told whole: its table, or all that is missing.
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
    out: Annotated[Path, typer.Option(help="The folder for the picture and the model files.")] = Path("."),
    download: Annotated[bool, typer.Option("--download", help="Fetch MNIST (11 MB) if it is not here.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the images, for each network.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the weights and the order of the images.")] = 0,
) -> None:
    """Train an autoencoder and a classifier of handwritten digits."""
    from compose.cli.demo import run

    run(out, download, epochs, seed)


@app.command()
def summary(file: ModelFile) -> None:
    """Show the network of a model file: its expression, its layers, how it was trained."""
    from compose.cli.show import show

    show(file)


@app.command()
def predict(
    file: ModelFile,
    input: Annotated[Path, typer.Argument(metavar="INPUT", help="Examples: .npy, .npz, .csv, or an image.")],
    out: Annotated[Path | None, typer.Option(help="Write to this .npy, .npz or .csv; else print rows.")] = None,
    label: Annotated[bool, typer.Option("--label", help="Only the position of the largest output.")] = False,
) -> None:
    """Run a model file on examples, and print one row of numbers for each."""
    from compose.cli.predict import predict

    predict(file, input, out, label)


def _porter(framework: str, what: str) -> None:
    """The command `compose port FRAMEWORK`; `what` says what a MODEL of it is."""

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


_porter("torch", "the torch.nn.Module that MODULE:CALLABLE returns, called without arguments")
_porter("keras", "the keras.Model that MODULE:CALLABLE returns; only a subclassed one needs --input")
_porter("flax", "the NNX module that MODULE:CALLABLE returns, or the Linen module and its variables, a pair")
_porter(
    "tf", "the SavedModel in a folder, or the function or tf.Module that MODULE:CALLABLE returns, which needs --input"
)
_porter("onnx", "an ONNX file; it needs --input only where it leaves sizes other than the batch's open")


def _message(error: Exception) -> str:
    if isinstance(error, PortError):
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    lines = str(error).splitlines() or [type(error).__name__]
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    hint = f"; {error.hint}" if isinstance(error, LayerError) and error.hint else ""
    return lines[0] + hint
