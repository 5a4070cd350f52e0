"""The MLP of benchmarks/serve.py in KServe's Python server: width, whether it batches, port.

KServe batches in a sidecar of Kubernetes, not in its server: here, what waits while the network runs is joined, in ten
lines of one's own.
"""

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from kserve import InferOutput, InferResponse, Model, ModelServer
from serve_mlp import mlp

width, batched, port = int(sys.argv[1]), sys.argv[2] == "1", int(sys.argv[3])


class Net(Model):
    def __init__(self):
        super().__init__("net")
        self.run = mlp(width)
        for size in range(1, 33):
            self.run(np.zeros((size, 64), np.float32))
        self.waiting, self.task, self.pool = [], None, ThreadPoolExecutor(1)
        self.ready = True

    async def join(self, x):
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((x, future))
        if self.task is None:
            self.task = asyncio.create_task(self.work())
        return await future

    async def work(self):
        while self.waiting:
            batch, self.waiting = self.waiting[:32], self.waiting[32:]
            x = np.concatenate([x for x, _ in batch])
            y = await asyncio.get_running_loop().run_in_executor(self.pool, self.run, x)
            for i, (_, future) in enumerate(batch):
                future.set_result(y[i : i + 1])
        self.task = None

    async def predict(self, payload, headers=None, response_headers=None):
        x = payload.inputs[0].as_numpy()
        y = await self.join(x) if batched else self.run(x)
        output = InferOutput("output", list(y.shape), "FP32")
        output.set_data_from_numpy(y, binary_data=False)
        return InferResponse(payload.id or "0", self.name, [output])


if __name__ == "__main__":
    logging.disable(logging.INFO)
    server = ModelServer(http_port=port, grpc_port=port + 1, enable_latency_logging=False, workers=1)
    server.start([Net()])
