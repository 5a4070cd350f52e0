"""A denoising autoencoder: digits come in with noise, and go out without.

    python examples/denoising.py                       writes denoising.png

The noise is a layer that acts in training alone, so that inputs and targets are the same images (Vincent et al., 2008).
The upper row of the picture has test images with noise, the lower one what the network makes of them. It prints

    error of noisy test images: 0.089
    after the network: 0.019
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from compose import compose_seq, data, fc, gaussian_noise, relu, sigmoid
from compose.plots.figure import panels

NOISE = 0.3  # standard deviation, of pixels in 0..1


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a denoising autoencoder on digits.")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args(arguments)

    train, test = data.digits().split(test=0.2, seed=0)
    net = compose_seq(gaussian_noise(NOISE), fc(128, relu), fc(32, relu), fc(128, relu), fc(64, sigmoid))
    trained = net.fit(train.flat, train.flat, loss="mse", learning_rate=1e-3, epochs=args.epochs, verbose=False)

    noisy = test.flat + np.random.default_rng(0).normal(0, NOISE, test.flat.shape).astype(np.float32)
    clean = np.asarray(trained.predict(noisy))
    print(f"error of noisy test images: {np.mean((noisy - test.flat) ** 2):.3f}")
    print(f"after the network: {np.mean((clean - test.flat) ** 2):.3f}")

    figure, axes = panels(20, 0.7, 0.7, most=10)
    for ax, image in zip(axes, np.concatenate([noisy[:10], clean[:10]]).reshape(20, 8, 8)):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()
    figure.to(args.out / "denoising.png")


if __name__ == "__main__":
    main()
