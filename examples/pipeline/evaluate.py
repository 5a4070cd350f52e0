"""The stage `evaluate`: scores of the model on digits that it has not seen."""

import csv
import json
from pathlib import Path

import numpy as np

import compose

digits, trained = np.load("data/test.npz"), compose.load("model.safetensors")
scores = trained.evaluate(digits["x"], digits["y"], loss="cross_entropy", metrics=["accuracy", "f1"])
Path("metrics.json").write_text(json.dumps({name: round(float(value), 4) for name, value in scores.items()}))
with open("predictions.csv", "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["actual", "predicted"])
    rows.writerows(zip(digits["y"].tolist(), np.asarray(trained.predict(digits["x"])).argmax(1).tolist()))
