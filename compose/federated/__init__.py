"""Federated averaging with Flower: `client` makes a Flower client of a network and data that stay where they are.

Flower averages: see its `ServerApp` and its strategies. Here is what it needs to know of a network: `to_arrays` and
`from_arrays`, and the client. It needs `pip install "compose-jax[federated]"`, and `"flwr[simulation]"` to simulate
clients on one machine.

Flower's telemetry is off unless the environment says otherwise; so import this module before Flower.
"""

import os

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # Flower reads it as it is imported
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # and Ray, which simulates

from compose.federated.arrays import from_arrays, to_arrays
from compose.federated.client import client

__all__ = ["client", "from_arrays", "to_arrays"]
