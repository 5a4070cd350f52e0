"""A language model of characters that learns a text and writes on.

    python examples/characters.py                      the Zen of Python, in about a minute
    python examples/characters.py FILE.txt --epochs 5 --temperature 0.8

With the Zen of Python, which is short enough to be learned by heart, it prints an epoch a line, and:

    856 characters, 45 different ones
    {'loss': 0.0633390928569593, 'accuracy': 0.9808388960988899}
    The Zen of Python, by Tim Peters

    Beautiful is better than ugly.
    Explicit is better than impl
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
from pathlib import Path

import numpy as np
import optax

from compose import compose_seq, embedding, encoder_block, fc, generate, learned_positions, repeat

LENGTH, PROMPT = 96, 33  # characters that the network sees, and those that it is given to write on


def zen() -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a language model of characters.")
    parser.add_argument("file", type=Path, nargs="?", help="a text; by default the Zen of Python")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60, help="characters to write, at most 63")
    parser.add_argument("--temperature", type=float, default=0.0)
    args = parser.parse_args()

    text = args.file.read_text() if args.file else zen()
    characters = sorted(set(text))
    ids = np.array([characters.index(c) for c in text], np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(ids, LENGTH + 1)
    print(f"{len(text)} characters, {len(characters)} different ones")

    block = encoder_block(4, 256, causal=True, pre_norm=True, dropout=0.0)  # to learn by heart
    net = compose_seq(embedding(len(characters), 64), learned_positions(LENGTH), repeat(2, block), fc(len(characters)))
    steps = args.epochs * -(-len(windows) // 32)
    trained = net.fit(
        windows[:, :-1], windows[:, 1:], loss="cross_entropy", metrics="accuracy", epochs=args.epochs,
        optimizer=optax.adam(optax.cosine_decay_schedule(3e-3, steps)),
    )  # fmt: skip
    print({name: value for name, value in trained.history[-1].items() if name in ("loss", "accuracy")})

    prompt = ids[:PROMPT]
    new = generate(net, trained.params, trained.state, prompt, steps=args.steps, temperature=args.temperature)
    print(text[:PROMPT] + "".join(characters[i] for i in new))


if __name__ == "__main__":
    main()
