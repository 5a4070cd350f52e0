"""The page for people: its parts, and in a browser."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

import compose
from compose import compose_seq, conv, fc, flatten, relu, sigmoid, softmax
from compose.serve.sources import Source
from compose.train.named import Names
from tests.serve.browser import CHROMIUM, Browser
from tests.serve.client import serve
from tests.serve.models import trained
from tests.serve.process import process


def test_the_page_is_one_file_that_needs_nothing_else(files):
    async def scenario(client):
        answer = await client.get("/")
        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        page = answer.body.decode()
        assert not re.findall(r"https?://|<link[^>]+stylesheet|<script[^>]+src|@import", page)
        assert all(f'id="{name}"' in page for name in re.findall(r'\$\("([\w-]+)"\)', page))

    serve(scenario, files("kinds"))


def test_what_the_page_asks_for(files, folder):
    async def scenario(client):
        (card,) = (await client.get("/models")).json
        assert card["classes"] == ["setosa", "versicolor", "virginica"] and card["parameters"] == 67
        assert compose.parse(card["network"]) == compose.load(folder / "kinds.safetensors").net
        assert card["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 4]}]
        drawn = await client.get("/models/kinds/versions/1/diagram.svg")
        assert drawn.headers["content-type"] == "image/svg+xml" and drawn.body.startswith(b"<svg")
        assert str(folder) not in json.dumps(card) + drawn.body.decode()

    serve(scenario, files("kinds"))


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """Files of a model of a table with numbers and words, of one with numbers alone, and of one of other inputs."""
    folder: Path = tmp_path_factory.mktemp("houses")
    rows = {
        "area": [50.0, None, 120.0, 70.0], "rooms": [2, 3, 5, 3], "town": ["Ulm", "Bonn", None, "Ulm"],
        "heating": ["gas", "oil", "oil", "gas"], "price": [200, 310, 420, 260],
    }  # fmt: skip
    table = compose.data.table(rows, "price", missing="fill")
    net = compose_seq(table.encoder(), fc(8, relu), fc(1))
    net.fit(table, loss="mse", epochs=1, verbose=False).save(folder / "houses.safetensors")
    table = compose.data.table({"a": [1, 2], "b": [3, 4], "kind": ["x", "y"]})
    compose_seq(fc(2, softmax)).fit(table, loss="cross_entropy", epochs=1, verbose=False).save(
        folder / "ab.safetensors"
    )
    trained(compose_seq(fc(2)), 3, names=Names(columns=table.columns)).save(folder / "other.safetensors")
    return folder


def test_what_the_page_asks_for_a_table(houses):
    async def scenario(client):
        cards = {card["name"]: card for card in (await client.get("/models")).json}
        numbers, words = cards["houses"]["inputs"]
        assert [(c["name"], c["words"], c["fill"]) for c in numbers["columns"]] == [
            ("area", [], 80.0), ("rooms", [], 3.25)
        ]  # fmt: skip
        assert [(c["name"], c["words"], c["first"]) for c in words["columns"]] == [
            ("town", ["", "Bonn", "Ulm"], 0), ("heating", ["gas", "oil"], 3)
        ]  # fmt: skip
        assert cards["houses"]["target"] == "price" and cards["ab"]["target"] == "kind"
        assert [c["fill"] for c in cards["ab"]["inputs"][0]["columns"]] == [None, None]
        assert "columns" not in cards["other"]["inputs"][0]  # which takes three numbers, and the table has two

    serve(scenario, [Source(name, "1", houses / f"{name}.safetensors") for name in ("houses", "ab", "other")])


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_form_in_a_browser(houses, tmp_path):
    shots = Path(os.environ.get("COMPOSE_TEST_PICTURES", tmp_path))
    model = compose.load(houses / "houses.safetensors")
    with process(houses / "houses.safetensors", houses / "ab.safetensors", "--max-batch", 2) as service:
        browser = Browser(tmp_path / "profile")
        try:
            browser.open(f"http://127.0.0.1:{service.port}/")
            browser.until("document.querySelectorAll('.form select').length === 2")
            names = "[...document.querySelectorAll('.form label')].map(l => l.textContent).join()"
            assert browser.run(names) == "area,rooms,town,heating"
            boxes, choices = "document.querySelectorAll('.form input')", "document.querySelectorAll('.form select')"
            shown = "document.querySelector('#outputs strong')?.textContent"
            for area, rooms, town, heating in ((90.5, 4, "Bonn", "oil"), (None, None, None, "gas")):
                for i, value in enumerate((area, rooms)):
                    browser.run(f"{boxes}[{i}].value = {json.dumps('' if value is None else str(value))}")
                browser.run(f"{choices}[0].value = {('', 'Bonn', 'Ulm').index(town or '')}")
                browser.run(f"{choices}[1].value = {3 + ('gas', 'oil').index(heating)}")
                browser.run("document.querySelector('#outputs').textContent = ''")
                browser.run("document.getElementById('run').click()")
                row = {"area": [area], "rooms": [rooms], "town": [town], "heating": [heating]}
                want = float(np.asarray(model.predict(row)).ravel()[0])
                assert float(browser.until(shown)) == pytest.approx(want, rel=1e-3)
            assert browser.run("document.querySelector('#outputs h3').textContent") == "price"
            browser.picture(shots / "houses.png")
            browser.run("(() => { const m = document.getElementById('model'); m.value = 1; m.onchange() })()")
            browser.until("document.querySelectorAll('.form input').length === 2")
            browser.run(f"{boxes}[0].value = '1'")
            browser.run("document.getElementById('run').click()")
            browser.until("document.getElementById('error').textContent === 'b: expected a number'")
            browser.run(f"{boxes}[1].value = '2'")
            browser.run("document.getElementById('run').click()")
            assert browser.until("document.querySelector('.bar.best .name')?.textContent") in ("x", "y")
            assert not browser.errors, browser.errors
        finally:
            browser.close()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Files of a classifier of digits, an autoencoder of small pictures, and one of four numbers."""
    folder: Path = tmp_path_factory.mktemp("pages")
    train = compose.data.digits()
    net = compose_seq(conv(8, 3, relu), flatten, fc(10, softmax))
    x = train.x.reshape(-1, 8, 8, 1)
    net.fit(x, train.y, loss="cross_entropy", epochs=8, verbose=False).save(folder / "digits.safetensors")
    trained(compose_seq(fc(8, relu), fc(64, sigmoid)), 64).save(folder / "mirror.safetensors")
    kinds = Names(classes=("setosa", "versicolor", "virginica"))
    trained(compose_seq(fc(8, relu), fc(3, softmax)), 4, names=kinds).save(folder / "kinds.safetensors")
    return folder, x, train.y


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_in_a_browser(digits, tmp_path):
    folder, _, _ = digits
    names = ("digits", "mirror", "kinds")
    shots = Path(os.environ.get("COMPOSE_TEST_PICTURES", tmp_path))
    with process(*(f"{name}={folder / name}.safetensors" for name in names), "--max-batch", 2) as service:
        browser = Browser(tmp_path / "profile")
        try:
            browser.open(f"http://127.0.0.1:{service.port}/")
            browser.until("!!document.querySelector('canvas.draw')")
            box = browser.run(
                "(() => { const r = document.querySelector('canvas.draw').getBoundingClientRect();"
                " return [r.left, r.top, r.width, r.height] })()"
            )
            left, top, width, height = box
            browser.mouse("Pressed", left + width / 2, top + 0.15 * height)  # a vertical stroke: a one
            for part in np.linspace(0.15, 0.85, 12):
                browser.mouse("Moved", left + width / 2, top + part * height)
            browser.mouse("Released", left + width / 2, top + 0.85 * height)
            assert browser.until("document.querySelector('.bar.best .name')?.textContent") == "1"
            assert browser.run("document.querySelectorAll('.bar').length") == 10
            assert browser.run("/^[0-9.]+ ms$/.test(document.getElementById('latency').textContent)")
            browser.until("document.querySelector('#diagram img')?.naturalWidth > 50")
            assert browser.run("getComputedStyle(document.getElementById('login')).display") == "none"
            browser.picture(shots / "digits.png")

            choose = "(() => { const m = document.getElementById('model'); m.value = %d; m.onchange() })()"
            browser.run(choose % 1)
            browser.until("document.querySelector('.input .dim').textContent.includes('FP32 64')")
            browser.run("document.getElementById('run').click()")
            assert browser.until("document.querySelector('#outputs canvas.picture')?.width") == 8
            browser.picture(shots / "mirror.png")

            browser.run(choose % 2)
            browser.until("document.querySelector('.input textarea')?.value === '[0,0,0,0]'")
            browser.run("document.querySelector('textarea').value = '[1, 2, 3, 4]'")
            browser.run("document.getElementById('run').click()")
            found = json.loads(service.post("/v1/models/kinds:predict", b'{"instances": [[1, 2, 3, 4]]}')[1])
            best = ("setosa", "versicolor", "virginica")[int(np.argmax(found["predictions"]))]
            assert browser.until("document.querySelector('.bar.best .name')?.textContent") == best
            assert "%" in browser.run("document.querySelector('.bar.best').textContent")
            browser.picture(shots / "kinds.png")
            for wrong, message in (("[1, 2]", "2 numbers instead of 4"), ("[1,", "not valid JSON"),
                                   ('[1, 2, 3, "a"]', "expected numbers")):  # fmt: skip
                browser.run(f"document.querySelector('textarea').value = {json.dumps(wrong)}")
                browser.run("document.getElementById('run').click()")
                browser.until(f"document.getElementById('error').textContent.includes({json.dumps(message)})")
            refused = [e for e in browser.errors if "400" not in json.dumps(e)]
            assert not refused, refused
        finally:
            browser.close()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_an_uploaded_picture_and_a_token(digits, tmp_path):
    from matplotlib.image import imsave

    folder, x, y = digits
    path = tmp_path / "digit.png"
    model = compose.load(folder / "digits.safetensors")
    right = int(np.flatnonzero(np.argmax(model.predict(x[:50]), -1) == y[:50])[3])
    imsave(path, np.kron(x[right, :, :, 0], np.ones((20, 20))), cmap="gray", vmin=0, vmax=1)
    token = {"COMPOSE_SERVE_TOKENS": "open-sesame"}
    with process(f"digits={folder / 'digits'}.safetensors", environment=token) as service:
        browser = Browser(tmp_path / "profile")
        try:
            browser.open(f"http://127.0.0.1:{service.port}/")
            browser.until("!document.getElementById('login').hidden")
            browser.run("document.getElementById('token').value = 'open-sesame'")
            browser.run("document.getElementById('login').requestSubmit()")
            browser.until("!!document.querySelector('canvas.draw')")
            root = browser.call("DOM.getDocument")["root"]["nodeId"]
            node = browser.call("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
            browser.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)
            assert browser.until("document.querySelector('.bar.best .name')?.textContent") == str(y[right])
        finally:
            browser.close()
