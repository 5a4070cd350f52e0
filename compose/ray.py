"""Train on a Ray cluster: `fit` in the workers of Ray Train's `JaxTrainer`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.distributed.start import start
from compose.train.fit import fit as fit_here
from compose.train.load import load
from compose.train.trained import Trained

MODEL = "model.safetensors"


def fit(
    net: Layer,
    x: Any,
    y: Any = None,
    *,
    workers: int,
    resources: Mapping[str, float] | None = None,
    gpu: bool = False,
    storage: str | os.PathLike | None = None,
    failures: int = 0,
    **options: Any,
) -> Trained:
    """`compose.fit` in several workers of a Ray cluster, which train together; returns what `compose.load` reads.

    Args:
        net, x, y: as in `compose.fit`. Arrays are sent to every worker; a function that gives batches, a stream, is
            called in each, where `jax.process_index()` tells them apart.
        workers: how many, one process each.
        resources: what each needs, as in `{"CPU": 4}`.
        gpu: whether each has a GPU.
        storage: a folder or address for Ray's results that all machines of the cluster reach; Ray's own without.
        failures: how many times Ray starts all workers again if one is lost; with `checkpoint=`, a folder that all
            reach, they go on from the latest.
        options: those of `compose.fit`.

    `JaxTrainer` by itself connects workers on GPUs and TPUs alone: on CPUs each would train by itself. Here they are
    connected always, and it is an error if they are not as many as were asked for. It needs the package ray:
    `pip install "compose-jax[ray]"`.

    Raises `ConfigError` without Ray, and Ray's errors if the training fails.
    """
    ray, parts = _ray()
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError("workers to be an integer of at least 1", repr(workers))
    task = ray.put((net, x, y, options))

    def train(config: Any) -> None:
        if not gpu:
            os.environ["JAX_PLATFORMS"] = "cpu"
        context = ray.train.get_context()
        rank, count = context.get_world_rank(), context.get_world_size()
        address = parts.broadcast(parts.address() if rank == 0 else None)
        joined = start(address, count, rank).count
        if joined != workers:
            raise ConfigError(f"{workers} workers that train together", f"{joined}")
        net, x, y, options = ray.get(task)
        trained = fit_here(net, x, y, **options)
        with tempfile.TemporaryDirectory() as folder:
            trained.save(Path(folder) / MODEL, optimizer=True)
            last = dict(trained.history[-1]) if trained.history else {}
            ray.train.report({**last, "processes": joined}, checkpoint=parts.checkpoint(folder) if rank == 0 else None)

    trainer = parts.trainer(
        train,
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers, use_gpu=gpu, resources_per_worker=dict(resources) if resources else None
        ),
        run_config=ray.train.RunConfig(
            storage_path=None if storage is None else os.fspath(storage),
            failure_config=ray.train.FailureConfig(max_failures=failures),
        ),
    )  # fmt: skip
    result = trainer.fit()
    with result.checkpoint.as_directory() as folder:
        return load(Path(folder) / MODEL)


class _Parts:
    """What of Ray Train is used."""

    def __init__(self) -> None:
        from ray.train import Checkpoint  # pyright: ignore[reportMissingImports]
        from ray.train._internal.utils import get_address_and_port  # pyright: ignore[reportMissingImports]
        from ray.train.collective import broadcast_from_rank_zero  # pyright: ignore[reportMissingImports]
        from ray.train.v2.jax import JaxTrainer  # pyright: ignore[reportMissingImports]

        self.trainer: Any = JaxTrainer
        self.broadcast: Any = broadcast_from_rank_zero
        self.checkpoint: Any = Checkpoint.from_directory
        self._address: Any = get_address_and_port

    def address(self) -> str:
        """An address on this machine that others reach, with a port that is free."""
        host, port = self._address()
        return f"{host}:{port}"


def _ray() -> tuple[Any, _Parts]:
    try:
        import ray
        import ray.train  # pyright: ignore[reportMissingImports]

        return ray, _Parts()
    except ImportError:
        raise ConfigError(
            "the package ray for training on a Ray cluster", "none installed", 'pip install "compose-jax[ray]"'
        ) from None
