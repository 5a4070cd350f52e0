"""The stage `data`: handwritten digits of scikit-learn, a part of them to test with."""

import json
from pathlib import Path

import numpy as np

from compose import data

params = json.loads(Path("params.json").read_text())["data"]
digits = data.digits()
train, test = data.split(digits.x, digits.y, params["test"], params["seed"], stratify=True)
Path("data").mkdir(exist_ok=True)
for name, part in (("train", train), ("test", test)):
    np.savez(f"data/{name}.npz", x=part.x, y=part.y)
    print(f"{name}: {len(part.y)} digits")
