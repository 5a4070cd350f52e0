"""`compose demo`: train the autoencoder and the digit classifier on real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optax
import typer
from rich.console import Console

from compose import Layer, compose_seq, fc, relu, sigmoid, softmax
from compose.atomic import replacing
from compose.data import Split, digits, mnist
from compose.data.images import MNIST, find
from compose.train import Trained


def run(folder: Path, download: bool, epochs: int | None, seed: int) -> None:
    """Train both networks; write the image and the model files to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    data, default_epochs = images(download)
    train, test, pixels = data.train, data.test, data.train.flat.shape[1]
    epochs = epochs or default_epochs
    batch = 100 if len(train) > 10_000 else 25

    net = autoencoder(pixels)
    optimizer = optax.rmsprop(1e-3)
    _announce("autoencoder", net, pixels)
    trained = net.fit(
        train.flat, train.flat, loss="mse", optimizer=optimizer, epochs=epochs, batch_size=batch, seed=seed
    )  # fmt: skip
    _report(trained, epochs, folder / "autoencoder.safetensors")
    digit = [int(np.argmax(test.y == label)) for label in range(10)]
    picture(folder / "reconstructions.png", test.x[digit], np.asarray(trained.predict(test.flat[digit])))

    net = classifier()
    _announce("classifier", net, pixels)
    trained = net.fit(
        train.flat, train.y, loss="cross_entropy", optimizer=optimizer, epochs=epochs, batch_size=batch,
        metrics=("accuracy",), seed=seed,
    )  # fmt: skip
    _report(trained, epochs, folder / "classifier.safetensors")
    correct = np.argmax(trained.predict(test.flat), axis=1) == test.y
    print(f"test accuracy: {correct.mean():.4f}")


def images(download: bool) -> tuple[Split, int]:
    """MNIST if it is found, otherwise scikit-learn's digits; and the default number of epochs."""
    if download or find(MNIST) is not None:
        data, name, epochs = mnist(download=download), "MNIST", 12
    else:
        data, name, epochs = digits().split(), "scikit-learn's digits (compose demo --download downloads MNIST)", 30
    print(f"{name}: {len(data.train)} training images, {len(data.test)} test images")
    return data, epochs


def autoencoder(pixels: int) -> Layer:
    """Encodes an image as 50 numbers and reconstructs it from them."""
    return compose_seq(
        fc(250, relu, name="e1"),
        fc(50, relu, name="e2"),
        fc(250, relu, name="d1"),
        fc(pixels, sigmoid, name="d2"),
    )


def classifier() -> Layer:
    """Classifies the digit in an image."""
    return compose_seq(fc(250, relu), fc(100, relu), fc(10, softmax))


def picture(path: Path, before: np.ndarray, after: np.ndarray) -> None:
    """Plot images above their reconstructions."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(len(before), 2.3), layout="constrained")
    axes = figure.subplots(2, len(before))
    for row, images in zip(axes, (before, after.reshape(before.shape))):
        for ax, image in zip(row, images):
            ax.imshow(image, cmap="gray", vmin=0, vmax=1)
            ax.set_axis_off()
    for row, title in zip(axes, ("test images", "reconstructed from 50 numbers")):
        row[0].set_title(title, loc="left", fontsize=10)
    with replacing(path) as file:
        FigureCanvasAgg(figure).print_png(file)
    print(f"wrote {path}")


def _announce(title: str, net: Layer, pixels: int) -> None:
    print(f"\n{title}:\n{net}\n")
    Console(highlight=False).print(net.summary(pixels), "")


def _report(trained: Trained, epochs: int, path: Path) -> None:
    """Save the model. If Ctrl-C ended training early, exit."""
    if len(trained.history) < epochs:
        raise typer.Exit(130)
    trained.save(path)
    print(f"wrote {path}")
