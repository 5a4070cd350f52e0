"""KServe's server with our models, as a process: REST and gRPC.

KServe has an environment of its own, since it needs old versions of other packages.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

import compose
from compose import compose_seq, fc, relu, softmax
from compose.core.errors import ConfigError
from compose.serve.kserve.__main__ import in_folder
from compose.serve.kserve.models import models
from compose.serve.kserve.server import server
from compose.serve.options import Options
from compose.serve.sources import Source
from tests.serve.models import trained
from tests.serve.process import request

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("models")
    trained(compose_seq(fc(8, relu), fc(3, softmax)), 4).save(made / "kinds.safetensors")
    return made


@pytest.fixture(scope="module")
def service(folder):
    """The ports of REST and gRPC of a server that is ready."""
    free = [socket.socket() for _ in range(2)]
    for s in free:
        s.bind(("127.0.0.1", 0))
    http, grpc = (s.getsockname()[1] for s in free)
    for s in free:
        s.close()
    command = [sys.executable, "-m", "compose.serve.kserve", "--model_name", "kinds", "--model_dir", str(folder),
               "--http_port", str(http), "--grpc_port", str(grpc), "--max_batch", "4", "--max_body", "0.1"]  # fmt: skip
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "JAX_PLATFORMS": "cpu"})
    until = time.monotonic() + 120
    while not _answers(http):
        assert process.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
        time.sleep(0.1)
    yield http, grpc
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(40)
    finally:
        process.kill()
    assert "Traceback" not in log.read_text().split("Stopping the model server")[-1]


def _answers(port: int) -> bool:
    try:
        return request(port, "GET", "/v2/models/kinds/ready")[0] == 200
    except OSError:
        return False


def message(x=X, name="input", datatype="FP32", **more):
    x = np.asarray(x)
    return {
        "inputs": [{"name": name, "shape": list(x.shape), "datatype": datatype, "data": x.ravel().tolist()}],
        **more,
    }


def rest(port, path, body, headers=None):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, data, {"Content-Type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


@pytest.mark.own_environment("kserve")
def test_rest(service, folder):
    want = np.asarray(compose.load(folder / "kinds.safetensors").predict(X))
    path = "/v2/models/kinds/infer"
    status, _, body = rest(service[0], path, message())
    answer = json.loads(body)
    assert status == 200 and answer["id"] == "0" and answer["model_version"] == "1"
    assert [answer["outputs"][0][k] for k in ("name", "datatype", "shape")] == ["output", "FP32", [3, 3]]
    np.testing.assert_allclose(np.reshape(answer["outputs"][0]["data"], (3, 3)), want, atol=1e-6)
    assert json.loads(rest(service[0], path, message(id="7"))[2])["id"] == "7"

    head = message(parameters={"binary_data_output": True})
    head["inputs"][0] = {**head["inputs"][0], "parameters": {"binary_data_size": X.nbytes}}
    del head["inputs"][0]["data"]
    text = json.dumps(head).encode()
    sizes = {"Inference-Header-Content-Length": str(len(text)), "Content-Type": "application/octet-stream"}
    status, headers, body = rest(service[0], path, text + X.tobytes(), sizes)
    size = int({k.lower(): v for k, v in headers.items()}["inference-header-content-length"])
    np.testing.assert_allclose(np.frombuffer(body[size:], "<f4").reshape(3, 3), want, atol=1e-6)

    status, _, body = rest(service[0], "/v1/models/kinds:predict", {"instances": X.tolist()})
    np.testing.assert_allclose(json.loads(body)["predictions"], want, atol=1e-6)
    told = json.loads(request(service[0], "GET", "/v2/models/kinds")[1])
    assert told["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 4]}]


@pytest.mark.own_environment("kserve")
def test_rest_refuses_what_does_not_fit(service):
    wrong = [
        message(X[:, :3]), message(name="x"), message(datatype="INT32"), message(datatype="FP31"), {"inputs": []},
        {"inputs": 3}, b"{", b"", b"[1]", message(outputs=[{"name": "none"}]), message([["1", "2", "3", "4"]]),
        {"inputs": [{"name": "input", "shape": [-1, -4], "datatype": "FP32", "data": [1, 2, 3, 4]}]},
        b'{"inputs":[{"name":"input","shape":[1,4],"datatype":"FP32","data":[1,2,3,NaN]}]}',
    ]  # fmt: skip
    for body in wrong:
        status, _, answer = rest(service[0], "/v2/models/kinds/infer", body)
        assert 400 <= status < 500, (body, status, answer)
    for length in ("x", "-1", "0", "99999"):
        for body in (b"", b"{}", b'{"inputs":[{"name":"input","shape":[1,4]}]}', b'{"inputs":[1]}'):
            header = {"Inference-Header-Content-Length": length, "Content-Type": "application/octet-stream"}
            status, _, answer = rest(service[0], "/v2/models/kinds/infer", body, header)
            assert 400 <= status < 500, (length, body, status, answer)
    for body in ({}, {"instances": [[1, 2]]}, {"instances": 3}, [1], b"{", b"\xff", {"data": 1, "specversion": 2}):
        status, _, answer = rest(service[0], "/v1/models/kinds:predict", body)
        assert 400 <= status < 500, (body, status, answer)
    assert rest(service[0], "/v2/models/kinds/infer", message(np.zeros((9000, 4))))[0] == 413
    assert rest(service[0], "/v2/models/none/infer", message())[0] == 404


@pytest.fixture
def ask(service):
    """Ask over gRPC; the answer, or the name of the status."""
    import grpc
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
    from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

    with grpc.insecure_channel(f"127.0.0.1:{service[1]}") as channel:
        stub = GRPCInferenceServiceStub(channel)

        def asked(x, shape=None, datatype="FP32", name="input", raw=True, **more):
            tensor = {"name": name, "shape": x.shape if shape is None else shape, "datatype": datatype}
            if not raw:
                tensor["contents"] = {"fp32_contents": x.ravel().tolist()}
            more = {"model_name": "kinds", "raw_input_contents": [x.tobytes()] if raw else [], **more}
            try:
                return stub.ModelInfer(pb.ModelInferRequest(inputs=[tensor], **more), timeout=60, wait_for_ready=True)
            except grpc.RpcError as e:
                return e.code().name

        asked.stub, asked.pb = stub, pb
        yield asked


@pytest.mark.own_environment("kserve")
def test_grpc(ask, folder):
    want = np.asarray(compose.load(folder / "kinds.safetensors").predict(X))
    raw, plain = ask(X), ask(X, raw=False, id="7", outputs=[{"name": "output"}])
    assert (raw.id, plain.id, raw.model_version, raw.model_name) == ("0", "7", "1", "kinds")
    np.testing.assert_allclose(np.frombuffer(raw.raw_output_contents[0], "<f4").reshape(3, 3), want, atol=1e-6)
    np.testing.assert_allclose(np.reshape(plain.outputs[0].contents.fp32_contents, (3, 3)), want, atol=1e-6)
    assert list(plain.outputs[0].shape) == [3, 3] and not plain.raw_output_contents
    many = np.tile(X, (4, 1))  # more than a batch
    np.testing.assert_allclose(
        np.frombuffer(ask(many).raw_output_contents[0], "<f4").reshape(-1, 3)[9:], want, atol=1e-6
    )
    told = ask.stub.ModelMetadata(ask.pb.ModelMetadataRequest(name="kinds"))
    assert [(t.name, t.datatype, list(t.shape)) for t in told.outputs] == [("output", "FP32", [-1, 3])]
    assert ask.stub.ModelReady(ask.pb.ModelReadyRequest(name="kinds")).ready


@pytest.mark.own_environment("kserve")
def test_grpc_refuses_what_does_not_fit(ask):
    wrong = [
        ask(X[:, :3]), ask(X, name="x"), ask(X, shape=(3, 5)), ask(X, shape=(-3, -4)), ask(X[:0]), ask(X, shape=(12,)),
        ask(X, datatype="INT32"), ask(X, datatype="FP64"), ask(X, datatype="BYTES"), ask(X, datatype="?"),
        ask(X, raw=False, datatype="INT64"), ask(X, outputs=[{"name": "none"}]), ask(X, raw_input_contents=[b"", b""]),
        ask(X, shape=(2**62, 4)), ask(X, shape=()),
    ]  # fmt: skip
    assert wrong == ["INVALID_ARGUMENT"] * len(wrong)
    assert ask(X, model_version="2") == "NOT_FOUND" and ask(X, model_name="none") == "NOT_FOUND"
    assert ask(X).id == "0"


@pytest.mark.own_environment("kserve")
@pytest.mark.filterwarnings("default")
def test_busy_is_unavailable(folder, monkeypatch):
    import asyncio

    import kserve
    from kserve.errors import ModelNotReady

    (model,) = models(
        [Source("kinds", "1", folder / "kinds.safetensors")], Options(max_batch=4, max_queue=2, reload=0.0)
    )

    async def scenario():
        await model.start_engine()
        tensor = kserve.InferInput("input", [2, 4], "FP32", X[:2].ravel().tolist())
        asked = [model.predict(kserve.InferRequest("kinds", [tensor])) for _ in range(8)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        busy = [e for e in found if isinstance(e, ModelNotReady)]
        assert busy and all(e.reason == "too many requests are waiting" for e in busy)
        assert any(isinstance(y, kserve.InferResponse) for y in found)
        model.stop_engine()
        await model._closing

    asyncio.run(scenario())


@pytest.mark.own_environment("kserve")
@pytest.mark.filterwarnings("default")
def test_one_version_of_a_model(folder):
    file = folder / "kinds.safetensors"
    with pytest.raises(ConfigError, match="two of kinds"):
        models([Source("kinds", "1", file), Source("kinds", "2", file)], Options())


def test_tokens_are_not_dropped_in_silence():
    with pytest.raises(ConfigError, match="COMPOSE_SERVE_TOKENS"):
        server(Options(tokens=("abc",)))


def test_the_model_in_a_folder(folder, tmp_path):
    assert in_folder("a", folder) == Source("a", "1", folder / "kinds.safetensors")
    with pytest.raises(ConfigError, match="none"):
        in_folder("a", tmp_path)
    for name in ("b", "c"):
        (tmp_path / f"{name}.safetensors").touch()
    with pytest.raises(ConfigError, match=r"b\.safetensors, c\.safetensors"):
        in_folder("a", tmp_path)
    (tmp_path / "weights.safetensors").touch()
    assert in_folder("a", tmp_path).file == tmp_path / "weights.safetensors"


def test_without_kserve_the_error_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "kserve", None)
    with pytest.raises(ConfigError, match=r"(?s)the package kserve.*compose-jax\[kserve\]"):
        models([Source("kinds", "1", folder / "kinds.safetensors")], Options())
