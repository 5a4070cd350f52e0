"""`start`: join the other processes of a training."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

import jax

from compose.core.errors import ConfigError
from compose.distributed.environment import Place, place_in, seen
from compose.distributed.peers import leave_on_errors

PATIENCE = 15  # seconds without the others after which a line says so
HEARTBEAT = 8  # seconds; a process that is dead for all of them is noticed within ten


@dataclass(frozen=True)
class Processes:
    """The processes of a training.

    Attributes:
        index: the number of this one, from 0. Process 0 prints, and writes files.
        count: how many there are.
        coordinator: `host:port` of process 0; None if `jax.distributed` was initialized elsewhere.
        source: who said so, such as `"SLURM"`.
    """

    index: int
    count: int
    coordinator: str | None
    source: str


_started: Processes | None = None


def start(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout: float = 300,
    heartbeat: int = HEARTBEAT,
) -> Processes:
    """Join the other processes, so that `jax.devices()` has the devices of all, and `fit` trains on them.

    Every process calls it once, before anything else uses JAX; later calls do nothing. Without arguments, it finds
    its place by what the launcher sets: SLURM (`srun`), Open MPI (`mpirun`), Kubernetes (a JAXJob; an Indexed Job or
    JobSet whose manifest sets `JAX_COORDINATOR_ADDRESS` and `JAX_NUM_PROCESSES`), torchrun, or the variables
    `JAX_COORDINATOR_ADDRESS`, `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`. Where a launcher starts several processes on a
    machine with GPUs, each takes the GPU of its number there. If `jax.distributed` is initialized already, that stays.

    From then on, an exception that nothing catches ends the process at once, so that the others notice.

    Args:
        coordinator: `host:port` at which process 0 listens; every other one must reach it.
        num_processes: how many processes there are.
        process_id: the number of this one, from 0.
        timeout: seconds to wait for the others.
        heartbeat: seconds of silence after which a process is taken for dead, and the others leave.

    Raises `ConfigError` if something is missing, with what the environment has, if JAX has been used before, and if
    the others do not come.

    Elsewhere: `jax.distributed.initialize`, `torch.distributed.init_process_group`.
    """
    global _started
    place = _with(place_in(os.environ), coordinator, num_processes, process_id)
    if _started is not None or jax.distributed.is_initialized():
        return _again(coordinator, num_processes, process_id)
    _check(place)
    if jax._src.xla_bridge.backends_are_initialized():  # pyright: ignore[reportAttributeAccessIssue]
        raise ConfigError(
            "compose.distributed.start() before anything else uses JAX", "a process whose devices are in use",
            "call it first, before arrays are made and jax.devices() is called",
        )  # fmt: skip
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    waiting = threading.Timer(PATIENCE, _note, (place,))
    waiting.daemon = True
    waiting.start()
    try:
        jax.distributed.initialize(
            place.coordinator, place.count, place.index, _own_gpu(place), cluster_detection_method="deactivate",
            initialization_timeout=int(timeout), heartbeat_timeout_seconds=heartbeat,
        )  # fmt: skip
    except RuntimeError as e:
        raise ConfigError(
            f"{place.count} processes that meet at {place.coordinator}", " ".join(str(e).split())[:300],
            "is process 0 running, and does the address reach it from every machine?",
        ) from None  # fmt: skip
    finally:
        waiting.cancel()
    leave_on_errors()
    assert place.index is not None and place.count is not None
    _started = Processes(place.index, place.count, place.coordinator, place.source)
    return _started


def _with(place: Place, coordinator: str | None, count: int | None, index: int | None) -> Place:
    given = {"coordinator": coordinator, "count": count, "index": index}
    given = {name: value for name, value in given.items() if value is not None}
    return Place(**{**vars(place), **given, "source": "arguments" if len(given) == 3 else place.source})


def _again(coordinator: str | None, count: int | None, index: int | None) -> Processes:
    global _started
    if _started is None:
        leave_on_errors()
        _started = Processes(jax.process_index(), jax.process_count(), None, "jax.distributed")
    now = _started
    for name, asked, is_so in (
        ("coordinator", coordinator, now.coordinator), ("num_processes", count, now.count),
        ("process_id", index, now.index),
    ):  # fmt: skip
        if asked is not None and is_so is not None and asked != is_so:
            raise ConfigError(f"{name}={is_so!r}, with which this process has started", f"{name}={asked!r}")
    return now


def _check(place: Place) -> None:
    names = {"coordinator": place.coordinator, "num_processes": place.count, "process_id": place.index}
    missing = [name for name, value in names.items() if value is None]
    if missing:
        known = f"; {place.source} gives {_known(place)}" if place.source else ""
        raise ConfigError(
            f"{', '.join(missing)} for compose.distributed.start()", f"{seen(os.environ)}{known}",
            "start the program by srun, mpirun or a Job, or set JAX_COORDINATOR_ADDRESS=host:port, JAX_NUM_PROCESSES "
            "and JAX_PROCESS_ID, or give these as arguments",
        )  # fmt: skip
    assert place.coordinator is not None and place.count is not None and place.index is not None
    for name, value in (("num_processes", place.count), ("process_id", place.index)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{name} to be an integer", repr(value))
    if not 0 <= place.index < place.count:
        raise ConfigError(f"process_id from 0 to {place.count - 1}, for {place.count} processes", str(place.index))
    host, _, port = place.coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError("coordinator as host:port, such as node001:12345", repr(place.coordinator))


def _known(place: Place) -> str:
    names = {"coordinator": place.coordinator, "num_processes": place.count, "process_id": place.index}
    return ", ".join(f"{name} {value}" for name, value in names.items() if value is not None) or "nothing"


def _own_gpu(place: Place) -> list[int] | None:
    """The GPU of a process that has others beside it, unless the launcher has given each its own."""
    if place.local is None or place.beside in (None, 1) or "JAX_LOCAL_DEVICE_IDS" in os.environ:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", os.environ.get("ROCR_VISIBLE_DEVICES"))
    return None if visible is not None and len(visible.split(",")) == 1 else [place.local]


def _note(place: Place) -> None:
    print(
        f"compose: process {place.index} of {place.count} has waited {PATIENCE} s for the others at "
        f"{place.coordinator}",
        file=sys.stderr, flush=True,
    )  # fmt: skip
