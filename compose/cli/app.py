"""The commands and their options. Each command's code is in its own file."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

import compose
from compose.cli.porting import porting
from compose.core.errors import ComposeError, LayerError, PortError
from compose.distributed.peers import fail

app = typer.Typer(
    help="Neural networks as expressions, on JAX.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(porting, name="port")

ModelFile = Annotated[Path, typer.Argument(metavar="FILE", help="A model file, written by trained.save.")]
Network = Annotated[
    str, typer.Argument(metavar="NETWORK", help="An expression, a text file with one, or a model file.")
]
Data = Annotated[
    str,
    typer.Option(
        "--data", help="mnist, fashion-mnist, digits, iris, a .csv or .parquet table, or an .npz file with x and y."
    ),
]
Column = Annotated[str | None, typer.Option("--target", help="The column of a table to predict; the last without.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Examples in a step.")]
Loss = Annotated[str | None, typer.Option(help="The loss; what fits the targets without.")]
MetricNames = Annotated[list[str] | None, typer.Option("--metric", help="A metric; may be given several times.")]


def main() -> None:
    """Run the command line. Errors are one line on stderr with exit status 1; bad usage has exit status 2.

    Port errors are shown in full: the table of the proof, or everything that is missing.
    """
    warnings.showwarning = lambda message, *_: print(f"compose: warning: {_line(message)}", file=sys.stderr)
    try:
        app(prog_name="compose")
    except (ComposeError, OSError) as e:
        fail(f"compose: {_message(e)}")


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


@app.command(epilog="Example: compose demo --out demo --epochs 3")
def demo(
    out: Annotated[Path, typer.Option(help="The folder for the image and the model files.")] = Path("."),
    download: Annotated[bool, typer.Option("--download", help="Download MNIST (11 MB) if it is not found.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs to train each network.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for weights and shuffling.")] = 0,
) -> None:
    """Train an autoencoder and a classifier on handwritten digits."""
    from compose.cli.demo import run

    run(out, download, epochs, seed)


@app.command(
    epilog="Example: compose train 'compose_seq(flatten, fc(32, relu), fc(10, softmax))' --data digits --epochs 3"
)
def train(
    what: Network,
    data: Data,
    target: Column = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs to train.")] = 5,
    batch_size: BatchSize = 32,
    optimizer: Annotated[str, typer.Option(help="An optimizer, such as adam, adamw, sgd or rmsprop.")] = "adam",
    learning_rate: Annotated[float | None, typer.Option(min=0, help="The learning rate of the optimizer.")] = None,
    loss: Loss = None,
    metric: MetricNames = None,
    validation: Annotated[
        float, typer.Option(min=0, max=0.99, help="The part of the examples to validate with, unless there are others.")
    ] = 0.2,
    clip: Annotated[float | None, typer.Option(help="The largest norm of the gradients.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A folder for checkpoints; run again, the same command resumes from them.")
    ] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="How many devices to train on.")] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Train together with the processes that srun, mpirun or a Job starts.")
    ] = False,
    sharding: Annotated[
        Literal["replicated", "fsdp", "tensor"] | None, typer.Option(help="How devices share the parameters.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for weights, splitting and shuffling.")] = 0,
    out: Annotated[Path, typer.Option("-o", "--out", help="The model file to write.")] = Path("model.safetensors"),
) -> None:
    """Train a network on a data set or a table, and save it.

    The network is an expression, a text file with one, or a model file to go on with. The loss fits the targets:
    cross entropy for classes, binary cross entropy for 0 and 1 with one output, else the mean squared error.

    With --distributed the command runs once in every process of a cluster, as in `srun compose train ...`; process 0
    prints and writes.
    """
    from compose.cli.train import train

    if distributed:
        compose.distributed.start()
    options = dict(
        batch_size=batch_size, optimizer=optimizer, learning_rate=learning_rate, loss=loss, metrics=metric or [],
        clip=clip, checkpoint=checkpoint, devices=devices, sharding=sharding, seed=seed,
    )  # fmt: skip
    train(what, data, target, epochs, options, validation, out)


@app.command(epilog="Example: compose evaluate model.safetensors --data digits --metric f1 --metric top_3")
def evaluate(file: ModelFile, data: Data, target: Column = None, loss: Loss = None, metric: MetricNames = None) -> None:
    """Measure a model file on examples: the loss and the metrics."""
    from compose.cli.train import evaluate

    evaluate(file, data, target, loss, metric or [])


@app.command(
    "lr-find",
    epilog="Example: compose lr-find 'compose_seq(flatten, fc(32, relu), fc(10, softmax))' --data digits -o lr.png",
)
def lr_find(
    what: Network,
    data: Data,
    target: Column = None,
    batch_size: BatchSize = 32,
    steps: Annotated[int, typer.Option(min=10, help="Steps to train.")] = 100,
    loss: Loss = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Draw the losses: .png, .svg or .pdf.")] = None,
) -> None:
    """Find a learning rate: train while it rises, until the loss diverges."""
    from compose.cli.train import find_rate

    options = dict(batch_size=batch_size, steps=steps, loss=loss, metrics=[], seed=seed)
    find_rate(what, data, target, options, out)


@app.command(epilog="Example: compose plot model.safetensors -o history.png")
def plot(
    file: ModelFile,
    out: Annotated[Path, typer.Option("-o", "--out", help="The image: .png, .svg or .pdf.")] = Path("history.png"),
) -> None:
    """Draw the history of a model's training: loss and metrics over the epochs."""
    from compose.cli.look import plot

    plot(file, out)


@app.command(epilog="Example: compose report model.safetensors --data digits -o report.html")
def report(
    file: ModelFile,
    data: Data,
    target: Column = None,
    loss: Loss = None,
    metric: MetricNames = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The page.")] = Path("report.html"),
) -> None:
    """Write one HTML page about a model: network, training, scores, and the plots that fit its targets."""
    from compose.cli.look import report

    report(file, data, target, loss, metric or [], out)


@app.command(epilog="Example: compose verify ported")
def verify(
    place: Annotated[Path, typer.Argument(metavar="FOLDER", help="A port, written by compose port ... --out.")],
) -> None:
    """Check that a saved port still computes what its source did; nothing in it is executed."""
    from compose.cli.verify import verify

    verify(place)


@app.command(epilog="Example: compose summary model.safetensors")
def summary(file: ModelFile) -> None:
    """Show the network in a model file: its expression, its layers, its training."""
    from compose.cli.show import show

    show(file)


@app.command(epilog="Example: compose predict model.safetensors examples.npy --label")
def predict(
    file: ModelFile,
    input: Annotated[Path, typer.Argument(metavar="INPUT", help="Examples: .npy, .npz, .csv, or an image file.")],
    out: Annotated[Path | None, typer.Option(help="Write to this .npy, .npz or .csv file instead of printing.")] = None,
    label: Annotated[
        bool, typer.Option("--label", help="Print only the class: its name, if the file has names, or its index.")
    ] = False,
) -> None:
    """Run a model file on examples, and print one row of numbers per example."""
    from compose.cli.predict import predict

    predict(file, input, out, label)


@app.command(epilog="Example: compose export model.safetensors --to stablehlo -o model.stablehlo")
def export(
    file: ModelFile,
    to: Annotated[
        Literal["onnx", "stablehlo", "savedmodel", "litert", "torch", "keras"],
        typer.Option("--to", help="The format."),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The file or folder to write; beside FILE without.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="A fixed batch size; any without.")] = None,
    opset: Annotated[int | None, typer.Option(help="ONNX: the version of the operators.")] = None,
    half: Annotated[bool, typer.Option("--half", help="ONNX, LiteRT: float16.")] = False,
    int8: Annotated[
        Path | None, typer.Option(metavar="INPUT", help="ONNX, LiteRT: quantize, with typical inputs in this file.")
    ] = None,
    int8_weights: Annotated[bool, typer.Option("--int8-weights", help="LiteRT: quantize the weights alone.")] = False,
) -> None:
    """Write a model file in another format, which runs without this package, and prove it equal."""
    from compose.cli.export import export

    export(file, to, out, batch, opset, half, int8, int8_weights)


@app.command(epilog="Example: compose serve digits=model.safetensors")
def serve(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="FILE, NAME=FILE or NAME@VERSION=FILE; a file or a port.")
    ],
    host: Annotated[str, typer.Option(help="The address to listen at; only this machine reaches the default.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")] = 8000,
    max_batch: Annotated[int, typer.Option(min=1, max=4096, help="Examples that run together.")] = 32,
    max_delay: Annotated[float, typer.Option(min=0, help="Milliseconds to wait for more examples.")] = 0.0,
    max_queue: Annotated[int, typer.Option(min=1, help="Examples that may wait; then requests get status 503.")] = 512,
    max_body: Annotated[float, typer.Option(help="Megabytes of a request.")] = 16.0,
    max_bodies: Annotated[float, typer.Option(help="Megabytes of all requests; then requests get status 503.")] = 256.0,
    body_timeout: Annotated[float, typer.Option(help="Seconds in which a request's body must come.")] = 30.0,
    header_timeout: Annotated[float, typer.Option(help="Seconds in which a request's headers must come.")] = 10.0,
    max_connections: Annotated[int, typer.Option(min=1, help="Connections; then requests get status 503.")] = 1000,
    reload: Annotated[float, typer.Option(min=0, help="Seconds between looks for changed files; 0 for never.")] = 2.0,
    keep: Annotated[
        Path | None, typer.Option(help="A folder for copies of the last good files, if theirs are broken at a start.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="A PEM file with a certificate, to speak TLS.")] = None,
    key: Annotated[Path | None, typer.Option(help="A PEM file with the certificate's key.")] = None,
) -> None:
    """Serve model files over HTTP: the Open Inference Protocol, TensorFlow Serving's, metrics, and a page at /.

    If the variable COMPOSE_SERVE_TOKENS is set, requests need one of its tokens, separated by commas.
    """
    from compose.cli.serve import serve

    options = dict(
        max_batch=max_batch, max_delay=max_delay / 1000, max_queue=max_queue, max_body=int(max_body * 2**20),
        max_bodies=int(max_bodies * 2**20),
        body_timeout=body_timeout, header_timeout=header_timeout, max_connections=max_connections, reload=reload,
        keep=keep,
    )  # fmt: skip
    serve(models, host, port, cert, key, options)


def _line(message: Warning | str) -> str:
    return " ".join(str(message).split())


def _message(error: Exception) -> str:
    if isinstance(error, PortError):
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    lines = str(error).splitlines() or [type(error).__name__]
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    hint = f"; {error.hint}" if isinstance(error, LayerError) and error.hint else ""
    return lines[0] + hint
