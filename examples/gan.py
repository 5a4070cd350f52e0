"""A generative adversarial network that draws digits: a loss of ten lines, and everything else is `fit`.

    python examples/gan.py                             writes gan.png

The generator makes images of noise, the discriminator tells them from real ones (Goodfellow et al., 2014). Both are
one network with one loss: the sum of theirs, in which each sees the other's parameters as constants, so that one Adam
trains both. It prints

    a real image is taken as real with 51 %, a drawn one with 31 %
    mean and spread of pixels: real 0.31 ± 0.38, drawn 0.31 ± 0.37
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax
import numpy as np
import optax

from compose import compose_seq, data, fc, leaky_relu, parallel, relu, sigmoid, spec
from compose.plots.figure import panels

NOISE = 16  # numbers an image is drawn from


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a GAN on digits.")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args(arguments)

    images = data.digits().flat
    generator = compose_seq(fc(128, relu), fc(128, relu), fc(64, sigmoid), name="generator")
    discriminator = compose_seq(fc(128, leaky_relu), fc(64, leaky_relu), fc(1), name="discriminator")
    net = parallel(generator, discriminator)

    def adversaries(net, params, state, x, rng):
        draw = lambda p, z: net["generator"].apply(p["generator"], {}, z)[0]
        judge = lambda p, x: net["discriminator"].apply(p["discriminator"], {}, x)[0]
        drawn, still = draw(params, jax.random.normal(rng, (len(x), NOISE))), jax.lax.stop_gradient
        real, fake = judge(params, x), judge(params, still(drawn))
        telling = optax.sigmoid_binary_cross_entropy(real, 0.9) + optax.sigmoid_binary_cross_entropy(fake, 0.0)
        fooling = optax.sigmoid_binary_cross_entropy(judge(still(params), drawn), 1.0)
        return telling.mean() + fooling.mean(), None, {"telling": telling.mean(), "fooling": fooling.mean()}

    trained = net.fit(
        images, loss=adversaries, inputs=(spec(NOISE), spec(64)), optimizer=optax.adam(5e-4, b1=0.5),
        epochs=args.epochs, batch_size=64, verbose=False,
    )  # fmt: skip

    noise = jax.random.normal(jax.random.key(0), (1000, NOISE))
    drawn = np.asarray(generator.apply(trained.params["generator"], {}, noise)[0])
    real, fake = (
        float(jax.nn.sigmoid(discriminator.apply(trained.params["discriminator"], {}, x)[0]).mean())
        for x in (images, drawn)
    )
    print(f"a real image is taken as real with {real:.0%}, a drawn one with {fake:.0%}".replace("%", " %"))
    shown = [f"{name} {x.mean():.2f} ± {x.std():.2f}" for name, x in (("real", images), ("drawn", drawn))]
    print(f"mean and spread of pixels: {', '.join(shown)}")

    figure, axes = panels(40, 0.7, 0.7, most=10)
    for ax, image in zip(axes, drawn[:40].reshape(40, 8, 8)):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()
    figure.to(args.out / "gan.png")


if __name__ == "__main__":
    main()
