"""The stage `train`: a network of the width in params.json."""

import json
from pathlib import Path

import numpy as np

from compose import compose_seq, fc, flatten, relu, softmax
from compose.train.callbacks import csv_log

params = json.loads(Path("params.json").read_text())["train"]
digits = np.load("data/train.npz")
net = compose_seq(flatten, fc(params["width"], relu), fc(10, softmax))
trained = net.fit(
    digits["x"], digits["y"], loss="cross_entropy", metrics="accuracy", epochs=params["epochs"],
    learning_rate=params["learning_rate"], seed=params["seed"], callbacks=[csv_log("history.csv")],
)  # fmt: skip
trained.save("model.safetensors")
