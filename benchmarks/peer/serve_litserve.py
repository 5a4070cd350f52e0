"""The MLP of benchmarks/serve.py in LitServe: width, whether it batches, port."""

import sys

import litserve
import numpy as np
from serve_mlp import mlp

width, batched, port = int(sys.argv[1]), sys.argv[2] == "1", int(sys.argv[3])


class Net(litserve.LitAPI):
    def setup(self, device):
        self.predict_ = mlp(width)
        for size in range(1, 33):
            self.predict_(np.zeros((size, 64), np.float32))

    def decode_request(self, request):
        return np.asarray(request["input"], np.float32)

    def batch(self, inputs):
        return np.stack(inputs)

    def unbatch(self, output):
        return list(output)

    def predict(self, x):
        return self.predict_(x if batched else x[None])

    def encode_response(self, output):
        return {"output": np.ravel(output).tolist()}


if __name__ == "__main__":
    api = Net(max_batch_size=32, batch_timeout=0.001) if batched else Net()
    litserve.LitServer(api, accelerator="cpu").run(port=port, generate_client_file=False, log_level="warning")
