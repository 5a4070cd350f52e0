"""Malformed and hostile bodies get an answer of the client's fault, never one of ours."""

from __future__ import annotations

import asyncio
import copy
import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose.serve import Options, app
from compose.serve.v2 import HEADER
from tests.serve.client import Client

TENSOR = {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
GOOD = {"id": "1", "inputs": [TENSOR], "outputs": [{"name": "output"}], "parameters": {}}
V1 = {"instances": [[1, 2, 3, 4]]}
PATHS = ("/v2/models/kinds/infer", "/v2/models/pair/infer", "/v2/models/words/infer", "/v1/models/kinds:predict",
         "/v1/models/pair:predict", "/v1/models/words:predict")  # fmt: skip

BAD_VALUES = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**400, -(10**30), 1e308, "", "a", "\x00", "é" * 100, "input",
    [], {}, [[]], [None], [[1, 2], [3]], {"a": 1}, [{}], ["1", "2"], [1, "2"], [True] * 4, [1e39] * 4, [10**40] * 4,
    "../../etc/passwd", "{{7*7}}", "' OR 1=1", [[[[[[1]]]]]], {"b64": "AAAA"},
)  # fmt: skip
FIELDS = (
    ("id",), ("inputs",), ("outputs",), ("parameters",), ("inputs", 0), ("inputs", 0, "name"), ("inputs", 0, "shape"),
    ("inputs", 0, "shape", 0), ("inputs", 0, "datatype"), ("inputs", 0, "data"), ("inputs", 0, "data", 0),
    ("inputs", 0, "parameters"), ("inputs", 0, "parameters", "binary_data_size"), ("outputs", 0),
    ("outputs", 0, "name"), ("outputs", 0, "parameters"), ("outputs", 0, "parameters", "binary_data"),
    ("parameters", "binary_data_output"),
    ("inputs", 0, "parameters", "shared_memory_region"), ("outputs", 0, "parameters", "classification"),
)  # fmt: skip
TEXTS = (
    b"", b" ", b"null", b"[]", b"0", b"{", b"}", b'"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000,
    b'{"a":' * 50_000, b"NaN", b"Infinity", b"-Infinity", b"1" * 5000, b"1e99999", b'{"inputs": ' + b"[" * 10_000,
    b'{"inputs":[{"name":"input","shape":[1,4],"datatype":"FP32","data":[1,2,3,NaN]}]}',
    b'{"inputs":[{"name":"\\ud800","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}',
    b'{"id":"\\ud800","inputs":[]}', b'{"id":"\\u0000","inputs":[]}', b"a=1&b=2", b"<xml/>", b"\x80\x04}q\x00.",
    b"PK\x03\x04", b'{"inputs":{}}', b'{"inputs":[]}', b'{"instances":[]}', b'{"instances":{}}', b'{"inputs":null}',
    b'{"instances":[[]],"inputs":[[]]}', b'{"signature_name":"other","instances":[[1,2,3,4]]}',
    b'{"instances":[1,[2]]}',
    b'{"instances":[[1,2,3]]}', b'{"instances":[[1,2,3,4,5]]}', b'{"instances":[[1,2,3,"4"]]}',
    b'{"instances":[[1,2,3,null]]}', b'{"instances":[{"input":[1,2,3,4],"other":1}]}', b'{"instances":["AAAA"]}',
    b'{"instances":[[99999999999999999999,2,3,1e999]]}', b"\x1f\x8b\x08", b'{"inputs":[1,2,3,4', b"true", b"//",
)  # fmt: skip


def numbers(value):
    """The numbers of an answer, wherever they are."""
    if isinstance(value, dict):
        value = [v for k, v in value.items() if k not in ("name", "datatype", "shape")]
    return [n for v in value for n in numbers(v)] if isinstance(value, list) else [value]


def changed(path, value):
    """The good request with another value at a place, also one that it has not."""
    body = copy.deepcopy(GOOD)
    at = body
    for key in path[:-1]:
        if isinstance(key, str) and key not in at:
            at[key] = {}
        at = at[key]
    at[path[-1]] = value
    return json.dumps(body).encode()


def binary(head, tail, size=None):
    text = json.dumps(head).encode()
    return text + tail, {HEADER: str(len(text) if size is None else size)}


def kinds():
    """Every hand-made body, with headers."""
    yield from ((text, {}) for text in TEXTS)
    yield from ((text, {HEADER: str(len(text))}) for text in TEXTS)
    yield from ((changed(path, value), {}) for path in FIELDS for value in BAD_VALUES)
    tensor = lambda size, **more: {"inputs": [
        {**{k: v for k, v in TENSOR.items() if k != "data"}, "parameters": {"binary_data_size": size}, **more}
    ]}  # fmt: skip
    floats = struct.pack("<4f", 1, 2, 3, 4)
    for size in (0, 1, 15, 17, 10**9, -1, True, 1.5, "16", None, [16], 2**70):
        yield binary(tensor(size), floats)
    for tail in (b"", b"\x00", floats + b"\x00", floats * 1000):
        yield binary(tensor(16), tail)
    for header in ("", "-1", "+5", " 5", "5 ", "1e3", "0x10", "٣", "9" * 30, "NaN", "0", "1", "100000"):
        yield binary(tensor(16), floats, header.encode("utf-8").decode("latin-1"))
    for datatype in ("BOOL", "BYTES", "FP16", "FP64", "INT8", "UINT64", "BF16", "fp32", "STRING", ""):
        yield binary(tensor(16, datatype=datatype), floats)
    for shape in ([4], [1, 1, 4], [0, 4], [2, 2], [4, 1], [1, 4, 0], [2**40, 2**40], [-1, 4], [1] * 40, [], [1.0, 4]):
        yield binary(tensor(16, shape=shape), floats)
        yield changed(("inputs", 0, "shape"), shape), {}
    yield binary(tensor(4, datatype="BOOL"), b"\x00\x01\x02\x03")
    yield binary({"inputs": tensor(16)["inputs"] * 2}, floats * 2)
    yield binary({"inputs": [*tensor(16)["inputs"], TENSOR]}, floats)


KINDS = list(kinds())


@pytest.fixture(scope="module")
def ask(folder):
    """Sends a body to a path; asserts what holds for every answer."""
    from compose.serve.sources import Source

    names = ("kinds", "pair", "words")
    found = [Source(name, "1", folder / f"{name}.safetensors") for name in names]
    with asyncio.Runner() as runner:
        client = Client(app(found, Options(max_batch=2, reload=0, max_body=1 << 20)))
        runner.run(client.app.state.models.start())

        def ask(path, body, headers):
            answer = runner.run(client("POST", path, body, headers))
            assert answer.status == 200 or 400 <= answer.status < 500, (answer, body[:300])
            if answer.status != 200:
                message = answer.json["error"]
                assert message and len(message) < 500 and str(folder) not in message and ".py" not in message
            elif HEADER.lower() not in answer.headers:
                assert np.isfinite(numbers(answer.json.get("outputs", answer.json.get("predictions")))).all()
            return answer.status

        yield ask
        runner.run(client.app.state.models.close())


def test_the_kinds_are_many_and_nearly_all_wrong(ask):
    assert len({(body, *headers.items()) for body, headers in KINDS}) >= 600
    assert ask(PATHS[0], json.dumps(GOOD).encode(), {}) == 200
    assert ask(PATHS[3], json.dumps(V1).encode(), {}) == 200
    statuses = [ask(PATHS[0], body, headers) for body, headers in KINDS]
    assert statuses.count(400) > 0.8 * len(statuses)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_every_kind_on_every_route(ask, path):
    for body, headers in KINDS:
        ask(path, body, headers)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(BAD_VALUES),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(
        st.sampled_from(["name", "shape", "datatype", "data", "inputs", "outputs", "parameters", "instances", "id",
                         "binary_data_size", "input", "input_0", "input_1", "signature_name"]) | st.text(max_size=5),
        inner, max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["input", "input_0", "input_1", "x"]) | JSON,
        "shape": st.lists(st.integers(-1, 5), max_size=4) | JSON,
        "datatype": st.sampled_from(["FP32", "FP64", "INT32", "INT64", "BOOL", "UINT8", "BF16", "FP16", "BYTES"])
        | JSON,
    },
    optional={
        "data": st.lists(st.integers(-3, 9) | st.floats(width=32), max_size=12) | JSON,
        "parameters": st.dictionaries(st.just("binary_data_size"), st.integers(-1, 40) | JSON) | JSON,
    },
)
HEADS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=3) | JSON},
    optional={"outputs": JSON, "parameters": JSON, "id": JSON},
)


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), HEADS | JSON, st.binary(max_size=40), st.none() | st.integers(-30, 30))
def test_requests_of_any_form(ask, path, head, tail, shift):
    text = json.dumps(head).encode()
    headers = {} if shift is None else {HEADER: str(len(text) + shift)}
    ask(path, text + (b"" if shift is None else tail), headers)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), st.binary(max_size=200), st.text(max_size=20))
def test_bytes_of_any_form(ask, path, body, header):
    ask(path, body, {HEADER: header.encode("utf-8", "ignore").decode("latin-1")} if header else {})


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), st.data())
def test_good_requests_with_bytes_changed(ask, path, data):
    body = bytearray(json.dumps(GOOD if path.startswith("/v2") else V1).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    ask(path, bytes(body), {})
