"""Transfer: a torch model of digits gets a new head, and learns to tell odd from even ones by a few images.

    python examples/transfer.py                        needs torch

The model is trained in torch, ported with its weights, and proven equal. Its head is replaced; first the new one is
trained alone, with the body frozen, then both, the body at a smaller rate. It prints

    ported: convolutions and two dense layers, outputs equal
    a new network from 50 images: 87.3 %
    a new head on the frozen body: 92.0 %
    then all of it, at two rates: 94.3 %
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from compose import data, fc, port, softmax

IMAGES = 50  # to learn the new task from


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Transfer a torch model to another task.")
    parser.add_argument("--epochs", type=int, default=40)
    args = parser.parse_args(arguments)

    train, test = data.digits().split(test=0.3, seed=0)
    source = trained_in_torch(train.x, train.y, args.epochs)
    ported = port.from_torch(source, torch.zeros(2, 1, 8, 8))
    ported.verify("outputs")
    print("ported: convolutions and two dense layers, outputs equal")

    x, y, odd = train.x[:IMAGES], train.y[:IMAGES] % 2, test.y % 2
    options = dict(loss="cross_entropy", epochs=2 * args.epochs, batch_size=10, verbose=False)
    net = ported.net.replace("head", fc(2, softmax, name="head"))
    fresh, _ = net.init(0, x)
    params = {**ported.params, "head": fresh["head"]}
    accuracy = lambda trained: f"{trained.evaluate(test.x, odd, metrics='accuracy')['accuracy']:.1%}".replace("%", " %")

    print("a new network from 50 images:", accuracy(net.fit(x, y, **options)))
    head = net.fit(
        train.x, train.y, start=(params, ported.state), freeze=["conv_*/**", "fc_*/**"], learning_rate=1e-2, **options
    )
    print("a new head on the frozen body:", accuracy(head))
    rates = {"head/**": 1e-3, "**": 1e-4}
    both = net.fit(x, y, start=(head.params, head.state), learning_rate=rates, **options)
    print("then all of it, at two rates:", accuracy(both))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
            torch.nn.Linear(512, 64), torch.nn.ReLU(),
        )  # fmt: skip
        self.head = torch.nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.body(x))


def trained_in_torch(x: np.ndarray, y: np.ndarray, epochs: int) -> Net:
    torch.manual_seed(0)
    net, images, labels = Net(), torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(y).long()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
    return net.eval()


if __name__ == "__main__":
    main()
