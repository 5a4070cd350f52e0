"""A service that is asked ten times as much as it can answer: what becomes of each request, and of the memory.

    python benchmarks/overload.py                     45 seconds on two quiet cores
    python benchmarks/overload.py --times 3 --seconds 10

The model is an MLP, 64-w-w-10, that runs one example at a time, so that a client in Python can ask for ten times as
much. First 32 clients that wait for their answers measure the capacity; then requests come at a fixed rate, answered or
not, over as many connections as it takes. A request is lost if it gets neither an answer nor status 503.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from serve import OIP, PORT, command, load, model, wait

PATIENCE = 60  # seconds that a client waits for an answer


class Clients:
    """Sends requests over connections that stay open; `found` counts how they ended."""

    def __init__(self, port: int, request: bytes):
        self.port, self.request = port, request
        self.found: Counter[str] = Counter()
        self.opened = 0
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                self.found[await self._asked()] += 1
        except (OSError, EOFError, ValueError) as e:  # TimeoutError is an OSError
            self.found[f"lost: {e or type(e).__name__}"[:80]] += 1

    async def _asked(self) -> str:
        reader, writer = await self._connection()
        kept = False
        try:
            writer.write(self.request)
            lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            headers = {name: value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
            length = int(headers.get(b"content-length", -1))
            await (reader.readexactly(length) if length >= 0 else reader.read())
            kept = length >= 0 and headers.get(b"connection") != b"close"
            return lines[0].split()[1].decode() + (" with Retry-After" if b"retry-after" in headers else "")
        finally:
            if kept:
                self.idle.append((reader, writer))
            else:
                writer.close()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One that is idle and that the server has not closed, or a new one."""
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        self.opened += 1  # from several addresses, since one has only 28,000 ports for connections a minute
        local = (f"127.0.0.{2 + self.opened % 100}", 0)
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=local)

    async def flood(self, rate: float, seconds: float) -> float:
        """Ask at a rate; returns the rate that was reached."""
        asked: set[asyncio.Task[None]] = set()
        start, count = time.perf_counter(), 0
        while (now := time.perf_counter() - start) < seconds:
            while count < rate * now:
                asked.add(asyncio.create_task(self.ask()))
                count += 1
            await asyncio.sleep(0.005)
            asked = {task for task in asked if not task.done()}
        reached = count / (time.perf_counter() - start)
        await asyncio.gather(*asked)
        for _, writer in self.idle:
            writer.close()
        return reached


def memory(pid: int) -> dict[str, float]:
    """Megabytes that a process holds, and the most that it held."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(lines[key].split()[0]) / 1024 for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=8192)
    parser.add_argument("--times", type=float, default=10.0, help="the capacity")
    parser.add_argument("--seconds", type=float, default=30.0)
    args = parser.parse_args()
    path, body, ready = OIP
    data = json.dumps(body).encode()
    request = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        file = model(args.width, Path(folder))
        process = subprocess.Popen(
            command("compose", "", args.width, file, False, PORT), stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait(f"http://127.0.0.1:{PORT}{ready}", process, log)
            asyncio.run(measure(process.pid, path, body, request, args))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def measure(pid: int, path: str, body: object, request: bytes, args: argparse.Namespace) -> None:
    capacity = (await load(PORT, path, body, 32, 4.0))["rps"]
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the most from here on, not while the model was loaded
    before = memory(pid)
    clients = Clients(PORT, request)
    reached = await clients.flood(args.times * capacity, args.seconds)
    after = memory(pid)
    lost = sum(n for how, n in clients.found.items() if how[:3] not in ("200", "503"))
    ends = ", ".join(f"{n:,} {how}" for how, n in clients.found.most_common())
    print(f"capacity      {capacity:,.0f} requests/s, asked for {reached:,.0f}: {reached / capacity:.1f} times as much")
    print(f"requests      {clients.found.total():,}: {ends}")
    print(f"lost          {lost}")
    print(f"memory        {before['now']:.0f} MB before, {after['now']:.0f} MB after, {after['peak']:.0f} MB at most")
    clients = Clients(PORT, request)
    await asyncio.gather(*(clients.ask() for _ in range(100)))
    print(f"then          100 requests at once: {dict(clients.found)}")


if __name__ == "__main__":
    main()
