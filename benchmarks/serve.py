"""Requests a second that a served model answers, and how long they take: batched and not, beside other servers.

    python benchmarks/serve.py                                compose alone, about two minutes on two quiet cores
    python benchmarks/serve.py --python peers/bin/python      and LitServe and KServe, which are installed there
    peers/bin/python benchmarks/serve.py --python peers/bin/python     all with the same HTTP parser and event loop
    python benchmarks/serve.py --widths 2048 --concurrency 32 --seconds 5

The model is an MLP, 64-w-w-10. Every server runs in a process of its own, and so do the clients: each of them sends one
example as JSON over a connection that stays open, and waits for the answer. The protocol is the Open Inference
Protocol, or the server's own where it does not speak it. The servers take turns; the table shows the median over the
rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
EXAMPLE = [round(0.01 * i, 2) for i in range(64)]
TENSOR = {"name": "input", "shape": [1, 64], "datatype": "FP32", "data": EXAMPLE}
OIP = ("/v2/models/net/infer", {"inputs": [TENSOR]}, "/v2/health/ready")
LIT = ("/predict", {"input": EXAMPLE}, "/health")
SERVERS = {"compose": OIP, "LitServe": LIT, "KServe": OIP}
PORT = 8650


async def client(port: int, request: bytes, until: float, times: list[float], wrong: list[bytes]) -> None:
    """Ask again and again until a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (start := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"
        )
        body = await reader.readexactly(length)
        times.append(time.perf_counter() - start)
        if b" 200 " not in head[:20]:
            wrong.append(head[:20] + body[:200])
    writer.close()


async def load(port: int, path: str, body: object, concurrency: int, seconds: float) -> dict[str, float]:
    """What that many clients see."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data
    times: list[float] = []
    wrong: list[bytes] = []
    ask = lambda until: asyncio.gather(*(client(port, request, until, times, wrong) for _ in range(concurrency)))
    await ask(time.perf_counter() + 0.5)
    times.clear()
    start = time.perf_counter()
    await ask(start + seconds)
    took = time.perf_counter() - start
    assert not wrong, wrong[0]
    quantile = statistics.quantiles(times, n=100)
    return {"rps": len(times) / took, "p50": 1e3 * quantile[49], "p99": 1e3 * quantile[98]}


def model(width: int, folder: Path) -> Path:
    """A model file of an MLP with random weights."""
    from compose import Trained, compose_seq, fc, relu, softmax, spec

    net = compose_seq(fc(width, relu), fc(width, relu), fc(10, softmax))
    params, state = net.init(0, 64)
    path = folder / f"{width}.safetensors"
    Trained(net, params, state, (), spec(64)).save(path)
    return path


def command(server: str, python: str, width: int, file: Path, batched: bool, port: int) -> list[str]:
    """How a server is started."""
    if server == "compose":
        options = ["--max-batch", "32" if batched else "1", "--reload", "0", "--port", str(port)]
        return [sys.executable, "-c", "from compose.cli import main; main()", "serve", f"net={file}", *options]
    script = HERE / "peer" / f"serve_{server.lower()}.py"
    return [python, str(script), str(width), str(int(batched)), str(port)]


def measure(server: str, python: str, width: int, file: Path, batched: bool, port: int, args) -> list[dict[str, float]]:
    """Start a server, load it at each concurrency in a process of its own, end it with all its children."""
    path, body, ready = SERVERS[server]
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        command(server, python, width, file, batched, port), stdout=log, stderr=log, start_new_session=True
    )
    try:
        wait(f"http://127.0.0.1:{port}{ready}", process, log)
        found = []
        for concurrency in args.concurrency:
            load = [sys.executable, __file__, "--load", str(port), path, json.dumps(body), str(concurrency)]
            done = subprocess.run([*load, str(args.seconds)], capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout))
        return found
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def wait(url: str, process: subprocess.Popen, log) -> None:
    """Until a server is ready."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    raise SystemExit(f"{url}: no answer\n{log.read().decode()[-2000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="the Python of an environment with litserve, kserve and jax")
    parser.add_argument("--servers", nargs="+", choices=SERVERS)
    parser.add_argument("--widths", nargs="+", type=int, default=[256, 2048])
    parser.add_argument("--concurrency", nargs="+", type=int, default=[1, 32, 128])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    servers = args.servers or (list(SERVERS) if args.python else ["compose"])
    found: dict[tuple[int, str, bool, int], list[dict[str, float]]] = {}
    port = PORT
    with tempfile.TemporaryDirectory() as folder:
        files = {width: model(width, Path(folder)) for width in args.widths}
        for _ in range(args.rounds):
            for width in args.widths:
                for batched in (False, True):
                    for server in servers:
                        port += 2
                        rows = measure(server, args.python or "", width, files[width], batched, port, args)
                        for concurrency, row in zip(args.concurrency, rows):
                            found.setdefault((width, server, batched, concurrency), []).append(row)
    table = Table("width", "server", "batches", "clients", "requests/s", "p50 ms", "p99 ms")
    for (width, server, batched, concurrency), rows in found.items():
        middle = {name: statistics.median(row[name] for row in rows) for name in ("rps", "p50", "p99")}
        table.add_row(
            str(width), server, "yes" if batched else "no", str(concurrency),
            f"{middle['rps']:,.0f}", f"{middle['p50']:.1f}", f"{middle['p99']:.1f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        port, path, body, concurrency, seconds = sys.argv[2:]
        print(json.dumps(asyncio.run(load(int(port), path, json.loads(body), int(concurrency), float(seconds)))))
    else:
        main()
