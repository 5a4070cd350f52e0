"""A variational autoencoder of handwritten digits that draws new ones, with a loss that runs the network itself.

    python examples/variational.py                     writes variational.png

MNIST if it is found, else scikit-learn's digits. The loss is the evidence lower bound (Kingma & Welling, 2013): the
reconstruction's binary cross entropy and the divergence of the code from a normal distribution. It prints

    digits of 8 by 8 pixels: loss 24.2 per image, of it 3.3 for the code
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from compose import compose_seq, data, fc, parallel, relu, spec
from compose.core.errors import DataError
from compose.plots.figure import panels

CODE = 8  # numbers an image


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a variational autoencoder.")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args(arguments)

    try:
        images, title = data.mnist(download=False).train.flat, "MNIST"
    except DataError:
        images, title = data.digits().flat, "digits"
    pixels = images.shape[1]
    side = round(pixels**0.5)
    encoder = compose_seq(fc(256, relu), fc(2 * CODE), name="encoder")
    decoder = compose_seq(fc(256, relu), fc(pixels), name="decoder")
    net = parallel(encoder, decoder)

    def elbo(net, params, state, x, rng):
        mean, log_var = jnp.split(net["encoder"].apply(params["encoder"], {}, x)[0], 2, -1)
        code = mean + jnp.exp(log_var / 2) * jax.random.normal(rng, mean.shape)
        logits = net["decoder"].apply(params["decoder"], {}, code)[0]
        error = optax.sigmoid_binary_cross_entropy(logits, x).sum(-1).mean()
        kl = 0.5 * (jnp.square(mean) + jnp.exp(log_var) - 1 - log_var).sum(-1).mean()
        return error + kl, None, {"kl": kl}

    trained = net.fit(
        images, loss=elbo, inputs=(spec(pixels), spec(CODE)), optimizer="adam", learning_rate=1e-3,
        epochs=args.epochs, batch_size=64, verbose=False,
    )  # fmt: skip
    last = trained.history[-1]
    print(f"{title} of {side} by {side} pixels: loss {last['loss']:.1f} per image, of it {last['kl']:.1f} for the code")

    codes = jax.random.normal(jax.random.key(0), (40, CODE))
    drawn = jax.nn.sigmoid(net["decoder"].apply(trained.params["decoder"], {}, codes)[0])
    figure, axes = panels(40, 0.7, 0.7, most=10)
    for ax, image in zip(axes, np.asarray(drawn).reshape(40, side, side)):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()
    figure.to(args.out / "variational.png")


if __name__ == "__main__":
    main()
