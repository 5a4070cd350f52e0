"""The server: slow clients, drains, TLS, a kill in the middle of a reload."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest

import compose
from compose.core.errors import ConfigError
from compose.serve import Options
from compose.serve.server import server
from tests.serve.models import trained
from tests.serve.process import process, request

INFER = "/v1/models/kinds:predict"
BODY = b'{"instances": [[1, 2, 3, 4]]}'


@contextmanager
def in_a_thread(sources, **options):
    """A server in a thread of this process; its port."""
    made = server(sources, Options(max_batch=2, reload=0, **options), "127.0.0.1", 0)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        while not made.started:
            time.sleep(0.01)
        port = made.servers[0].sockets[0].getsockname()[1]
        while request(port, "GET", "/v2/health/ready")[0] != 200:
            time.sleep(0.01)
        yield port
    finally:
        made.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def closed_after(port, *parts, pause=0.1):
    """Seconds until the server closes a connection that sends these parts, and what it answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        start, answer = time.monotonic(), b""
        for part in parts:
            s.sendall(part)
            time.sleep(pause)
        try:
            while data := s.recv(4096):
                answer += data
        except ConnectionResetError:
            pass
        return time.monotonic() - start, answer


def test_clients_that_send_too_slowly_are_closed(files):
    with in_a_thread(files("kinds"), header_timeout=0.5, body_timeout=0.5) as port:
        seconds, answer = closed_after(port)
        assert 0.4 < seconds < 20 and answer == b""
        seconds, answer = closed_after(port, b"GET / HTTP/1.1\r\n", b"Host: a\r\n")
        assert 0.4 < seconds < 20 and answer == b""
        whole = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
        seconds, answer = closed_after(port, whole, b"GET / HTTP/1.1\r\nHo")
        assert seconds < 20 and answer.count(b"200 OK") == 1
        head = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"
        seconds, answer = closed_after(port, head, b'{"instances"')
        assert 0.4 < seconds < 20 and b"408" in answer.splitlines()[0]
        assert request(port, "POST", INFER, BODY)[0] == 200
        assert closed_after(port, b"\x00\xff nonsense\r\n\r\n")[1].startswith(b"HTTP/1.1 400")


@pytest.mark.slow
def test_a_hundred_slow_clients_do_not_stop_others(files):
    with in_a_thread(files("kinds")) as port:
        head = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        try:
            for s, part in zip(slow, [head, head[:30]] * 50):
                s.sendall(part)
            start = time.monotonic()
            assert [request(port, "POST", INFER, BODY)[0] for _ in range(50)] == [200] * 50
            assert time.monotonic() - start < 30
        finally:
            for s in slow:
                s.close()


@pytest.mark.slow
def test_clients_that_leave_are_no_errors_of_ours(folder):
    with process(f"kinds={folder / 'kinds.safetensors'}", "--max-delay", 300) as service:
        head = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        for parts in (head % 1000 + b"{", head % len(BODY) + BODY, head[:20], b""):
            with socket.create_connection(("127.0.0.1", service.port)) as s:
                s.sendall(parts)
                time.sleep(0.05)
        time.sleep(0.5)
        assert service.post(INFER, BODY)[0] == 200
        assert not any("Traceback" in line or "ERROR" in line for line in service.lines), "".join(service.lines)
        assert b'status="500"' not in service.get("/metrics")[1]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_under_ten_times_its_load_every_request_is_answered_and_memory_stays(folder):
    counts: Counter[int] = Counter()
    request = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY

    async def client(port, until):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            status = int(head.split()[1])
            assert status == 200 or b"retry-after: " in head.lower()
            counts[status] += 1
        writer.close()
        await writer.wait_closed()

    async def clients(port, seconds):
        until = time.monotonic() + seconds
        await asyncio.gather(*(client(port, until) for _ in range(200)))

    with process(f"kinds={folder / 'kinds.safetensors'}", "--max-queue", 20, "--max-batch", 2) as service:
        pages = lambda: int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1])
        asyncio.run(clients(service.port, 3))
        before = pages()
        asyncio.run(clients(service.port, 8))
        assert set(counts) == {200, 503} and counts[503] > 100 and counts[200] > 20
        assert pages() - before < 0.1 * before
        assert service.post(INFER, BODY)[0] == 200


@pytest.mark.slow
def test_connections_beyond_the_limit_are_refused(files):
    """They are told when to come back, and those within the limit are still answered."""
    with in_a_thread(files("kinds"), max_connections=5) as port:
        held = [HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(5)]
        asked = lambda c: (c.request("POST", INFER, BODY), c.getresponse())[1]
        try:
            for connection in held:
                assert (answer := asked(connection)).status == 200 and answer.read()
            for _ in range(3):
                with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as more:
                    answer = asked(more)
                    assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
                    assert set(json.load(answer)) == {"error"} and answer.headers["Connection"] == "close"
            assert [asked(connection).read()[:13] for connection in held] == [b'{"predictions'] * 5
        finally:
            for connection in held:
                connection.close()
        time.sleep(0.2)
        assert request(port, "POST", INFER, BODY)[0] == 200


@pytest.mark.slow
def test_sigterm_answers_the_requests_that_have_begun(folder):
    with process(f"kinds={folder / 'kinds.safetensors'}", "--max-delay", 2000, "--reload", 0) as service:
        statuses = []
        clients = [
            threading.Thread(target=lambda: statuses.append(service.post(INFER, BODY)[0])) for _ in range(8)
        ]  # fmt: skip
        for client in clients:
            client.start()
        time.sleep(0.5)  # they wait for others to join them
        assert statuses == []
        assert service.end(signal.SIGTERM) in (0, -signal.SIGTERM)
        for client in clients:
            client.join(10)
        assert statuses == [200] * 8
        assert not any("Traceback" in line for line in service.lines), "".join(service.lines)


@pytest.mark.slow
def test_tokens_of_the_environment_and_an_error_before_it_listens(folder):
    file = f"kinds={folder / 'kinds.safetensors'}"
    with process(file, environment={"COMPOSE_SERVE_TOKENS": "a-token, another"}) as service:
        url = f"http://127.0.0.1:{service.port}/v2"
        with pytest.raises(urllib.error.HTTPError, match="401") as e:
            urllib.request.urlopen(url)
        e.value.close()
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": "Bearer another"})) as answer:
            assert json.load(answer)["name"] == "compose"


@pytest.mark.slow
def test_tls(folder, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(cert))
    from tests.serve.process import Process

    service = Process(f"kinds={folder / 'kinds.safetensors'}", "--cert", cert, "--key", key)
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{service.port}/v2/health/live", context=context) as answer:
            assert json.load(answer) == {"live": True}
    finally:
        service.end(signal.SIGKILL)
        service.process.stderr.close()


@pytest.mark.slow
def test_killed_while_its_file_is_overwritten_it_serves_the_last_good_version(tmp_path):
    """A file that is written in place by something else, and a kill before it is whole."""
    file, keep = tmp_path / "kinds.safetensors", tmp_path / "keep"
    net = compose.compose_seq(compose.fc(3))
    first, second = trained(net, 4), trained(net, 4, seed=1)
    first.save(file)
    want = np.asarray(first.predict(np.array([[1, 2, 3, 4]], np.float32)))
    second.save(tmp_path / "new.safetensors")
    whole = (tmp_path / "new.safetensors").read_bytes()
    arguments = (f"kinds={file}", "--keep", keep, "--reload", 0.05)
    predictions = lambda service: np.array(json.loads(service.post(INFER, BODY)[1])["predictions"])
    with process(*arguments) as service:
        np.testing.assert_allclose(predictions(service), want, atol=1e-6)
        file.write_bytes(whole[: len(whole) // 2])
        service.wait_for("not reloaded: .*truncated")
        np.testing.assert_allclose(predictions(service), want, atol=1e-6)
        service.end(signal.SIGKILL)
    with process(*arguments) as service:
        service.wait_for("serving its last good version")
        np.testing.assert_allclose(predictions(service), want, atol=1e-6)
        file.write_bytes(whole)
        service.wait_for("kinds@1: reloaded")
        assert np.abs(predictions(service) - want).max() > 1e-3
        assert not any(str(tmp_path) in service.get(path)[1].decode() for path in ("/models", "/metrics", "/v2"))
        service.end(signal.SIGKILL)
    file.unlink()
    with process(*arguments) as service:
        assert np.abs(predictions(service) - want).max() > 1e-3


@pytest.mark.slow
def test_killed_at_any_moment_of_a_reload_the_next_start_serves_one_of_the_good_versions(tmp_path):
    file, keep = tmp_path / "kinds.safetensors", tmp_path / "keep"
    net = compose.compose_seq(compose.fc(3))
    good, wanted = [], []
    for seed in range(2):
        model = trained(net, 4, seed=seed)
        model.save(file)
        good.append(file.read_bytes())
        wanted.append(np.asarray(model.predict(np.array([[1, 2, 3, 4]], np.float32))))
    arguments = (f"kinds={file}", "--keep", keep, "--reload", 0.001)
    noise = np.random.default_rng(0)
    for trial in range(6):
        with process(*arguments) as service:
            y = np.array(json.loads(service.post(INFER, BODY)[1])["predictions"])
            assert min(np.abs(y - want).max() for want in wanted) < 1e-6
            until = time.monotonic() + noise.uniform(0.05, 0.4)
            while time.monotonic() < until:  # written in place, not always whole
                data = good[noise.integers(2)]
                file.write_bytes(data[: noise.integers(len(data) + 1)] if noise.integers(2) else data)
                time.sleep(noise.uniform(0, 0.01))
            service.end(signal.SIGKILL)
        if trial % 2:
            file.write_bytes(good[0][:100])


def test_a_certificate_needs_its_key(files, tmp_path):
    with pytest.raises(ConfigError, match="both a certificate and its key"):
        server(files("kinds"), Options(), "127.0.0.1", 0, tmp_path / "cert.pem")
    with pytest.raises(ConfigError, match="cannot be read"):
        server(files("kinds"), Options(), "127.0.0.1", 0, tmp_path / "cert.pem", tmp_path / "key.pem")
