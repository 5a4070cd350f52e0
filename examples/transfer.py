"""Transfer learning: a PyTorch network that knows the digits 0 to 4, ported, learns to tell 5 to 9 apart.

    python examples/transfer.py

The network is trained in PyTorch on its five digits, then ported with proof. It gets a new head; on 50 images first the
head alone learns, with the body frozen by path, then everything, with a learning rate for each part. From scratch the
same network is as good after as many steps or fewer: digits of 8 by 8 pixels are easy, and five kinds of them teach
little of use for the others. So this shows how it is done, not that it pays here. It prints

    proof of the port: passed
    the new head alone: test accuracy 69.9 %
    then all of it: test accuracy 92.4 %
    from scratch: test accuracy 91.3 %
    the frozen body is as it was: yes
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import nn

from compose import data, fc, port, softmax


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a ported network on another task.")
    parser.add_argument("--epochs", type=int, default=5, help="of each of the two trainings")
    args = parser.parse_args(arguments)

    train, test = data.digits().split(test=0.5, seed=0)
    old, new, unseen = train.rows(train.y < 5), train.rows(train.y >= 5), test.rows(test.y >= 5)
    few = new.rows(np.concatenate([np.flatnonzero(new.y == kind)[:10] for kind in range(5, 10)]))
    ported = port.from_torch(taught(old), torch.zeros(2, 1, 8, 8))
    print("proof of the port:", "passed" if ported.verify("gradients").ok else "failed")

    net = ported.net.replace("head", fc(5, softmax, name="head"))
    x, y, y_test = few.x, few.y - 5, unseen.y - 5
    fresh, _ = net.init(0, x)
    start = ({**ported.params, "head": fresh["head"]}, ported.state)
    options = dict(loss="cross_entropy", metrics="accuracy", batch_size=10, verbose=False)

    head = net.fit(x, y, start=start, freeze="conv_*/**", learning_rate=1e-2, epochs=args.epochs, **options)
    rates = {"head/**": 1e-3, "**": 3e-4}
    whole = head.fit(x, y, freeze=(), optimizer="adam", learning_rate=rates, epochs=args.epochs)
    scratch = net.fit(x, y, learning_rate=1e-3, epochs=2 * args.epochs, **options)
    for title, trained in [("the new head alone", head), ("then all of it", whole), ("from scratch", scratch)]:
        accuracy = trained.evaluate(unseen.x, y_test)["accuracy"]
        print(f"{title}: test accuracy {accuracy:.1%}".replace("%", " %"))
    same = np.array_equal(head.params["conv_0"]["kernel"], ported.params["conv_0"]["kernel"])
    print("the frozen body is as it was:", "yes" if same else "no")


class Digits(nn.Module):
    """A small convolutional network."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.head = nn.Linear(32 * 4 * 4, 5)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


def taught(digits: data.Dataset) -> nn.Module:
    """The network trained in PyTorch, by Adam on all the images at once."""
    torch.manual_seed(0)
    model, x, y = Digits(), torch.from_numpy(digits.x.transpose(0, 3, 1, 2).copy()), torch.from_numpy(digits.y).long()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model.eval()


if __name__ == "__main__":
    main()
