"""Finding and fetching the image sets; the net is a server of our own."""

import dataclasses
import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest

from compose.cache import cache_folder
from compose.data import DataError, fashion_mnist, mnist, one_hot
from compose.data.images import FASHION, MNIST, find, load
from tests.data.test_idx import idx

rng = np.random.default_rng(0)
ARRAYS = (
    rng.integers(0, 256, (6, 28, 28), np.uint8),
    rng.integers(0, 10, 6, np.uint8),
    rng.integers(0, 256, (3, 28, 28), np.uint8),
    rng.integers(0, 10, 3, np.uint8),
)
FILES = {f"{part.name}.gz": gzip.compress(idx(a)) for part, a in zip(MNIST.parts, ARRAYS)}
SMALL = dataclasses.replace(
    MNIST,
    parts=tuple(
        dataclasses.replace(part, shape=a.shape, sha256=hashlib.sha256(idx(a)).hexdigest())
        for part, a in zip(MNIST.parts, ARRAYS)
    ),
)


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    for name in ("COMPOSE_DATA", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COMPOSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server():
    """Serves `server.files` and notes what was asked for; a path in `server.cut` breaks off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            running.asked.append(self.path)
            if name not in running.files:
                return self.send_error(404)
            body = running.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if name in running.cut else body)

        def log_message(self, *args):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.files, running.cut, running.asked = dict(FILES), set(), []
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def at(server, *folders: str):
    """The small set, to be had from these folders of the server."""
    mirrors = tuple(f"http://127.0.0.1:{server.server_port}/{f}/" for f in folders or ("a",))
    return dataclasses.replace(SMALL, mirrors=mirrors)


def put(folder, *, packed: bool = True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (folder / (name if packed else name[:-3])).write_bytes(content if packed else gzip.decompress(content))
    return folder


def check(found):
    for part, images, labels in ((found.train, *ARRAYS[:2]), (found.test, *ARRAYS[2:])):
        np.testing.assert_allclose(part.x * 255, images[..., None], rtol=1e-6)
        np.testing.assert_array_equal(part.y, labels)
        assert part.x.dtype == np.float32 and part.y.dtype == np.int32
        np.testing.assert_array_equal(part.one_hot, one_hot(labels, 10))


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "raw"])
@pytest.mark.parametrize("below", ["mnist", "."], ids=["subfolder", "itself"])
def test_found_under_compose_data(tmp_path, monkeypatch, packed, below):
    put(tmp_path / "data" / below, packed=packed)
    monkeypatch.setenv("COMPOSE_DATA", str(tmp_path / "data"))
    check(load(SMALL, None, download=False))


def test_a_folder_given(tmp_path):
    check(load(SMALL, put(tmp_path / "here"), download=False))
    with pytest.raises(DataError, match=r"no train-images-idx3-ubyte here.*MNIST consists of four files"):
        mnist(tmp_path)


def test_another_set_in_compose_data_is_not_taken_for_this_one(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPOSE_DATA", str(put(tmp_path / "data")))
    assert find(SMALL) == tmp_path / "data"
    other = dataclasses.replace(FASHION, installed=(), parts=tuple(
        dataclasses.replace(fashion, shape=small.shape) for fashion, small in zip(FASHION.parts, SMALL.parts)
    ))  # fmt: skip
    assert find(other) is None


def test_a_changed_file_is_refused(tmp_path):
    put(tmp_path, packed=False)
    changed = ARRAYS[2].copy()
    changed[1, 2, 3] ^= 1
    (tmp_path / MNIST.parts[2].name).write_bytes(idx(changed))
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte of MNIST: its SHA-256 differs"):
        load(SMALL, tmp_path, download=False)


def test_not_here_and_not_allowed(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPOSE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"MNIST is not on this computer.*set COMPOSE_DATA.*data.digits\(\)"):
        mnist(download=False)


def test_downloaded_once_into_the_cache(server, tmp_path):
    check(load(at(server), None, download=True))
    assert sorted(p.name for p in (tmp_path / "cache" / "mnist").iterdir()) == sorted(FILES)
    assert len(server.asked) == 4
    check(load(at(server), None, download=False))
    assert len(server.asked) == 4


def fails(server, tmp_path, message: str, *folders: str):
    """Downloading fails with the message, and leaves no file of that name nor a part of one."""
    with pytest.raises(DataError, match=message) as e:
        load(at(server, *folders), None, download=True)
    assert "set COMPOSE_DATA" in str(e.value)
    assert sorted(p.name for p in (tmp_path / "cache" / "mnist").iterdir()) == ["train-images-idx3-ubyte.gz"]


LABELS = "train-labels-idx1-ubyte.gz"


def test_wrong_checksum(server, tmp_path):
    server.files[LABELS] = gzip.compress(idx(ARRAYS[1] ^ 1))
    fails(server, tmp_path, "wrong content: SHA-256")


def test_cut_transfer(server, tmp_path):
    server.cut.add(LABELS)
    fails(server, tmp_path, r"the transfer was interrupted: \d+ of \d+ bytes")


def test_a_page_instead_of_the_file(server, tmp_path):
    server.files[LABELS] = b"<html>please log in</html>"
    fails(server, tmp_path, "not a complete gzip file")


def test_more_than_the_file(server, tmp_path):
    server.files[LABELS] = bytes(1 << 20)
    fails(server, tmp_path, "larger than its content of 14 bytes")


def test_a_bomb_is_not_unpacked(server, tmp_path):
    server.files[LABELS] = gzip.compress(bytes(20 << 20))
    fails(server, tmp_path, "wrong content")


def test_not_there(server, tmp_path):
    del server.files[LABELS]
    fails(server, tmp_path, "404", "a", "b")
    assert [p for p in server.asked if LABELS in p] == [f"/a/{LABELS}", f"/b/{LABELS}"]


def test_the_second_mirror_helps(server):
    lost = dataclasses.replace(SMALL, mirrors=("http://127.0.0.1:1/", *at(server).mirrors))
    check(load(lost, None, download=True))


def test_offline(tmp_path):
    nowhere = dataclasses.replace(SMALL, mirrors=("http://127.0.0.1:1/",))
    with pytest.raises(DataError, match=r"cannot be downloaded \(http://127.0.0.1:1/train-images.*refused"):
        load(nowhere, None, download=True)


def test_cache_folder_of_the_platform(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("COMPOSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "xdg" / "compose"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder().parts[-3:] == ("Library", "Caches", "compose")


def test_the_real_things_that_are_on_this_computer(monkeypatch):
    monkeypatch.undo()
    for source in filter(find, (MNIST, FASHION)):
        train, test = load(source, None, download=False)
        assert train.x.shape == (60000, 28, 28, 1) and test.x.shape == (10000, 28, 28, 1)
        assert np.bincount(test.y).sum() == 10000 and set(train.y) == set(range(10))


def test_fashion_mnist_names_its_package(monkeypatch):
    monkeypatch.setattr("compose.data.images.FASHION", dataclasses.replace(FASHION, installed=()))
    with pytest.raises(DataError, match="dataset-fashion-mnist"):
        fashion_mnist(download=False)
