"""The routes: health, models, both protocols, tokens, limits, metrics."""

from __future__ import annotations

import asyncio
import json
import re

import numpy as np
import pytest

import compose
from compose import compose_seq, fc
from compose.serve.sources import Source
from tests.serve.client import Client, serve
from tests.serve.models import trained


def asked(x, name="input", datatype="FP32", **more):
    x = np.asarray(x)
    return {
        "inputs": [{"name": name, "shape": list(x.shape), "datatype": datatype, "data": x.ravel().tolist()}],
        **more,
    }


def binary(x, name="input", datatype="FP32", **more):
    entry = {"name": name, "shape": list(x.shape), "datatype": datatype, "parameters": {"binary_data_size": x.nbytes}}
    head = json.dumps({"inputs": [entry], **more}).encode()
    return head + x.tobytes(), {"Inference-Header-Content-Length": str(len(head))}


X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def test_json_and_binary_answer_what_predict_does(files, folder):
    want = np.asarray(compose.load(folder / "kinds.safetensors").predict(X))

    async def scenario(client):
        answer = await client.post("/v2/models/kinds/infer", asked(X, id="7"))
        assert answer.status == 200 and answer.headers["content-type"] == "application/json"
        (y,) = answer.json["outputs"]
        assert {k: v for k, v in answer.json.items() if k != "outputs"} == {
            "model_name": "kinds", "model_version": "1", "id": "7"
        }  # fmt: skip
        assert (y["name"], y["datatype"], y["shape"]) == ("output", "FP32", [3, 3])
        np.testing.assert_allclose(np.reshape(y["data"], (3, 3)), want, atol=1e-6)

        body, headers = binary(X, parameters={"binary_data_output": True})
        answer = await client.post("/v2/models/kinds/versions/1/infer", body, headers=headers)
        size = int(answer.headers["inference-header-content-length"])
        assert b'"binary_data_size":36' in answer.body[:size] and b'"id"' not in answer.body[:size]
        np.testing.assert_allclose(np.frombuffer(answer.body[size:], "<f4").reshape(3, 3), want, atol=1e-6)

        body, headers = binary(X)
        assert (await client.post("/v2/models/kinds/infer", body, headers=headers)).json["outputs"][0]["shape"] == [
            3,
            3,
        ]

    serve(scenario, files("kinds"))


def test_several_inputs_and_outputs(files, folder):
    a, b = X[:, :3], X[:, 2:]
    age, kind = (np.asarray(y) for y in compose.load(folder / "pair.safetensors").predict((a, b)))

    async def scenario(client):
        entries = asked(b, "input_1")["inputs"] + asked(a, "input_0")["inputs"]
        answer = await client.post("/v2/models/pair/infer", {"inputs": entries, "outputs": [{"name": "kind"}]})
        (y,) = answer.json["outputs"]
        assert y["name"] == "kind"
        np.testing.assert_allclose(np.reshape(y["data"], (3, 3)), kind, atol=1e-6)
        answer = await client.post("/v2/models/pair/infer", {"inputs": entries})
        assert [y["name"] for y in answer.json["outputs"]] == ["age", "kind"]

        rows = [{"input_0": p.tolist(), "input_1": q.tolist()} for p, q in zip(a, b)]
        answer = await client.post("/v1/models/pair:predict", {"instances": rows})
        np.testing.assert_allclose([row["age"] for row in answer.json["predictions"]], age, atol=1e-6)
        whole = {"inputs": {"input_0": a.tolist(), "input_1": b.tolist()}, "signature_name": "serving_default"}
        answer = await client.post("/v1/models/pair/versions/1:predict", whole)
        np.testing.assert_allclose(answer.json["outputs"]["kind"], kind, atol=1e-6)

    serve(scenario, files("pair"))


def test_tensorflow_serving_with_one_input(files, folder):
    want = np.asarray(compose.load(folder / "kinds.safetensors").predict(X))

    async def scenario(client):
        for body in ({"instances": X.tolist()}, {"instances": [{"input": x.tolist()} for x in X]}):
            answer = await client.post("/v1/models/kinds:predict", body)
            np.testing.assert_allclose(answer.json["predictions"], want, atol=1e-6)
        answer = await client.post("/v1/models/kinds:predict", {"inputs": X.tolist()})
        np.testing.assert_allclose(answer.json["outputs"], want, atol=1e-6)
        status = (await client.get("/v1/models/kinds")).json["model_version_status"]
        assert status[0]["version"] == "1" and status[0]["state"] == "AVAILABLE"
        described = (await client.get("/v1/models/kinds/metadata")).json["metadata"]["signature_def"]["signature_def"]
        assert described["serving_default"]["inputs"]["input"]["dtype"] == "DT_FLOAT"

    serve(scenario, files("kinds"))


def test_integers_and_floats_of_other_widths(files, folder):
    model = compose.load(folder / "words.safetensors")
    ids = np.array([[0, 6, 3], [1, 2, 5]])
    want = np.asarray(model.predict(ids.astype(np.int32)))

    async def scenario(client):
        for datatype, dtype in (("INT32", "<i4"), ("INT64", "<i8"), ("UINT8", "<u1")):
            answer = await client.post("/v2/models/words/infer", asked(ids, datatype=datatype))
            np.testing.assert_allclose(np.reshape(answer.json["outputs"][0]["data"], (2, 2)), want, atol=1e-6)
            body, headers = binary(ids.astype(dtype), datatype=datatype)
            same = await client.post("/v2/models/words/infer", body, headers=headers)
            assert same.json == answer.json
        for x, datatype, message in (
            (ids * 1.0, "FP32", "input: expected INT32, got FP32"),
            (ids + 5, "INT32", r"ids between 0 and 6, the rows of its table, got 11 at [0, 1]"),
            (ids + 2**40, "INT64", "out of the range of INT32"),
            (ids, "INT99", "the datatype must be one of BOOL"),
        ):
            answer = await client.post("/v2/models/words/infer", asked(x, datatype=datatype))
            assert answer.status == 400 and message in answer.json["error"]
        answer = await client.post("/v2/models/kinds/infer", asked(X.astype(float), datatype="FP64"))
        assert answer.status == 200
        answer = await client.post("/v2/models/kinds/infer", asked(X.astype(float) * 1e300, datatype="FP64"))
        assert answer.status == 400 and "out of the range of FP32" in answer.json["error"]
        answer = await client.post("/v2/models/kinds/infer", asked(ids, datatype="INT64"))
        assert answer.status == 400

    serve(scenario, files("words", "kinds"))


def test_nan_and_infinity_are_no_json_in_either_direction(files):
    async def scenario(client):
        for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"null", b'"1"', b"true"):
            body = b'{"inputs":[{"name":"input","shape":[1,4],"datatype":"FP32","data":[1,2,3,%s]}]}' % word
            answer = await client.post("/v2/models/steep/infer", body)
            assert answer.status in (400,) and answer.json["error"], word
            body = b'{"instances":[[1,2,3,%s]]}' % word
            assert (await client.post("/v1/models/steep:predict", body)).status == 400, word
        answer = await client.post("/v2/models/steep/infer", asked(X * 0))
        assert answer.status == 400 and "ask for binary output" in answer.json["error"]
        assert (await client.post("/v1/models/steep:predict", {"instances": [[0.0] * 4]})).status == 400
        body, headers = binary(X * 0, parameters={"binary_data_output": True})
        answer = await client.post("/v2/models/steep/infer", body, headers=headers)
        size = int(answer.headers["inference-header-content-length"])
        assert np.isneginf(np.frombuffer(answer.body[size:], "<f4")).any()

    serve(scenario, files("steep"))


def test_models_and_versions_are_found_or_not(files, folder):
    found = [Source("m", v, folder / "kinds.safetensors") for v in ("9", "10", "2")]

    async def scenario(client):
        assert (await client.get("/v2/models/m")).json["versions"] == ["2", "9", "10"]
        assert (await client.post("/v2/models/m/infer", asked(X))).json["model_version"] == "10"
        answer = await client.post("/v2/models/m/versions/9/infer", asked(X))
        assert answer.json["model_version"] == "9"
        assert (await client.get("/v2/models/m/versions/9")).json == {
            "name": "m", "versions": ["9"], "platform": "jax",
            "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 4]}],
            "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, 3]}],
        }  # fmt: skip
        for path in ("/v2/models/n", "/v2/models/m/versions/3", "/v2/models/n/ready", "/v1/models/n", "/nowhere"):
            answer = await client.get(path)
            assert answer.status == 404 and set(answer.json) == {"error"}
        assert (await client.post("/v2/models/n/infer", asked(X))).status == 404
        assert (await client.get("/v2/models/m/infer")).status == 405
        index = (await client.post("/v2/repository/index", b"")).json
        assert [(m["name"], m["version"], m["state"]) for m in index] == [("m", v, "READY") for v in ("2", "9", "10")]
        assert "binary_tensor_data" in (await client.get("/v2")).json["extensions"]
        paths = (await client.get("/openapi.json")).json["paths"]
        route = paths["/v2/models/{name}/versions/{version}/infer"]["post"]
        assert route["requestBody"] and [p["name"] for p in route["parameters"]] == ["name", "version"]

    serve(scenario, found)


def test_ready_only_when_every_size_is_compiled(files):
    from compose.serve import Options, app

    async def scenario():
        client = Client(app(files("kinds"), Options(max_batch=2, reload=0)))
        models = client.app.state.models
        for path in ("/v2/health/ready", "/v2/models/kinds/ready", "/v2/models/kinds"):
            answer = await client.get(path)
            assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
        assert (await client.post("/v2/models/kinds/infer", asked(X))).status == 503
        assert (await client.get("/v2/health/live")).json == {"live": True}
        await models.start()
        assert (await client.get("/v2/health/ready")).json == {"ready": True}
        assert (await client.get("/v2/models/kinds/ready")).json == {"name": "kinds", "ready": True}
        await models.close()
        assert (await client.post("/v2/models/kinds/infer", asked(X))).status == 503

    asyncio.run(scenario())


def test_tokens(files):
    async def scenario(client):
        for path in ("/v2", "/v2/models/kinds", "/models", "/metrics", "/v1/models/kinds"):
            answer = await client.get(path)
            assert (
                answer.status == 401
                and answer.headers["www-authenticate"] == "Bearer"
                and set(answer.json) == {"error"}
            )
            for wrong in ("Bearer ab", "Bearer", "Basic abc", "Bearer \xff", ""):
                assert (await client.get(path, headers={"Authorization": wrong})).status == 401
            for right in ("abc", "xyz"):
                assert (await client.get(path, headers={"Authorization": f"Bearer {right}"})).status == 200
        assert (await client.post("/v2/models/kinds/infer", asked(X))).status == 401
        for path in ("/v2/health/live", "/v2/health/ready", "/"):
            assert (await client.get(path)).status == 200

    serve(scenario, files("kinds"), tokens=("abc", "xyz"))


def test_all_bodies_together_are_bounded(files):
    async def scenario(client):
        body, ask = asked(np.zeros((3, 4))), lambda **more: client.post("/v2/models/kinds/infer", body, **more)
        size = len(json.dumps(body))
        served = client.app.state.models.find("kinds")
        run, gate = served.run, asyncio.Event()

        async def held(*given):
            await gate.wait()
            return await run(*given)

        served.run = held
        first = [asyncio.create_task(ask()) for _ in range(2)]
        await asyncio.sleep(0.05)
        for headers in ({}, {"content-length": "1"}, {"content-length": str(2 * size)}):
            answer = await ask(headers=headers)
            assert answer.status == 503 and answer.headers["retry-after"] == "1" and set(answer.json) == {"error"}
        assert (await client.get("/v2/health/live")).status == 200
        assert (await client.post("/v2/models/kinds/infer", b"{}")).status == 400  # there is room for a small one
        gate.set()
        assert [answer.status for answer in await asyncio.gather(*first)] == [200, 200]
        assert [(await ask()).status for _ in range(4)] == [200] * 4  # all is given back, of refused requests too
        text = (await client.get("/metrics")).body.decode()
        assert 'compose_requests_total{model="kinds",status="503",version="1"} 3.0' in text

    size = len(json.dumps(asked(np.zeros((3, 4)))))
    serve(scenario, files("kinds"), max_body=2 * size, max_bodies=2 * size + size // 2)


def test_bodies_that_are_large_slow_or_compressed(files):
    async def scenario(client):
        answer = await client.post("/v2/models/kinds/infer", asked(np.zeros((500, 4))))
        assert answer.status == 413
        unsaid = await client.post("/v2/models/kinds/infer", b" " * 2000, headers={"content-length": "1"})
        assert unsaid.status == 413
        assert (await client.post("/v2/models/kinds/infer", asked(X), pause=0.5)).status == 408
        answer = await client.post("/v2/models/kinds/infer", b"", headers={"Content-Encoding": "gzip"})
        assert answer.status == 415
        assert (await client.post("/v2/models/kinds/infer", asked(X))).status == 200
        text = (await client.get("/metrics")).body.decode()
        counted = re.findall(r'compose_requests_total{.*status="(\d+)".*} (\d)', text)
        assert dict(counted) == {"413": "2", "408": "1", "415": "1", "200": "1"}

    serve(scenario, files("kinds"), max_body=1000, body_timeout=0.1)


def test_a_full_queue_is_said_with_a_time_to_come_back(files):
    async def scenario(client):
        body = asked(np.zeros((4, 4)))
        answers = await asyncio.gather(*(client.post("/v2/models/kinds/infer", body) for _ in range(20)))
        statuses = [answer.status for answer in answers]
        assert set(statuses) == {200, 503}
        assert all(int(a.headers["retry-after"]) >= 1 for a in answers if a.status == 503)
        text = (await client.get("/metrics")).body.decode()
        assert f'compose_requests_total{{model="kinds",status="503",version="1"}} {statuses.count(503)}.0' in text
        assert 'compose_waiting_examples{model="kinds",version="1"} 0.0' in text
        assert 'compose_ready{model="kinds",version="1"} 1.0' in text
        assert f'compose_batch_examples_sum{{model="kinds",version="1"}} {4 * statuses.count(200)}.0' in text

    serve(scenario, files("kinds"), max_queue=8)


def test_a_full_queue_is_said_before_the_body_is_read(files):
    async def scenario(client):
        waits = asyncio.create_task(client.post("/v2/models/kinds/infer", asked(np.zeros((2, 4)))))
        await asyncio.sleep(0.05)
        assert (await client.post("/v2/models/kinds/infer", b"no JSON")).status == 503
        assert (await waits).status == 200
        assert (await client.post("/v2/models/kinds/infer", b"no JSON")).status == 400

    serve(scenario, files("kinds"), max_queue=2, max_delay=0.3)


def test_a_reload_while_a_body_comes_loses_no_request(files, tmp_path):
    """The network that is there when the body is answers, whatever it was before."""
    file = tmp_path / "net.safetensors"
    before, after = (trained(compose_seq(fc(2)), size) for size in (3, 4))
    before.save(file)

    async def scenario(client):
        coming = asyncio.create_task(client.post("/v2/models/net/infer", asked(X), pause=0.3))
        await asyncio.sleep(0.05)
        after.save(file)
        await client.app.state.models.look()
        answer = await coming
        assert answer.status == 200
        np.testing.assert_allclose(answer.json["outputs"][0]["data"], np.ravel(after.predict(X)), atol=1e-6)

    serve(scenario, [Source("net", "1", file)])


def test_an_unforeseen_error_says_nothing_about_this_machine(files, monkeypatch):
    def fails(arrays):
        raise FileNotFoundError("/etc/secret/model")

    async def scenario(client):
        served = client.app.state.models.find("kinds")
        monkeypatch.setattr(served.batcher, "_run", fails)
        with pytest.raises(FileNotFoundError):  # the server logs what reaches it; the client has its answer by then
            await client.post("/v2/models/kinds/infer", asked(X))
        assert client.last.status == 500 and b"secret" not in client.last.body and set(client.last.json) == {"error"}

    serve(scenario, files("kinds"))
