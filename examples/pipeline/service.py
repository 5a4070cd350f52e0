"""The stage `service`: the model answers over HTTP what it predicts here."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np

import compose

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
address = f"http://127.0.0.1:{port}"
x = np.load("data/test.npz")["x"][:50]
expected = np.asarray(compose.load("model.safetensors").predict(x))
command = [sys.executable, "-m", "compose.cli", "serve", "digits=model.safetensors", "--port", str(port)]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
try:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/v2/health/ready", timeout=5)
            break
        except OSError:
            time.sleep(0.1)
    largest, seconds = 0.0, []
    for row, wanted in zip(x, expected):
        body = json.dumps({"instances": [row.tolist()]}).encode()
        began = time.perf_counter()
        request = urllib.request.Request(f"{address}/v1/models/digits:predict", body)
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)["predictions"][0]
        seconds.append(time.perf_counter() - began)
        largest = max(largest, float(np.abs(np.asarray(found) - wanted).max()))
finally:
    server.terminate()
    server.wait(30)
assert largest < 1e-5, f"the service answers otherwise than the model, by {largest}"
Path("service.json").write_text(
    json.dumps({"requests": len(x), "median_ms": round(1000 * float(np.median(seconds)), 2)})
)
