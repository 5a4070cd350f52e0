"""What the launcher of a program says in its environment: how many processes there are, and where they meet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from compose.core.errors import ConfigError

# The same numbers as in JAX: ports that no service is registered for.
_PORTS = 2**12
_FIRST_PORT = 65535 - _PORTS + 1


@dataclass(frozen=True)
class Place:
    """The place of a process among all; None for what is not known.

    Attributes:
        coordinator: `host:port`, where process 0 listens.
        count, index: the number of processes, and that of this one from 0.
        local: its number among the processes on its machine.
        beside: how many processes are on its machine.
        source: who says so.
    """

    coordinator: str | None = None
    count: int | None = None
    index: int | None = None
    local: int | None = None
    beside: int | None = None
    source: str = ""


def place_in(environ: Mapping[str, str]) -> Place:
    """The place that an environment gives: JAX's own variables count first, then the first launcher that is found.

    Raises `ConfigError` for a variable that should be a number and is not.
    """
    found = next((place for read in LAUNCHERS if (place := read(environ)) is not None), Place())
    own = {
        "coordinator": environ.get("JAX_COORDINATOR_ADDRESS"),
        "count": _number(environ, "JAX_NUM_PROCESSES"),
        "index": _number(environ, "JAX_PROCESS_ID"),
    }
    own = {name: value for name, value in own.items() if value is not None}
    source = " and ".join(s for s in (found.source, "JAX_*" if own else "") if s)
    return replace(found, **own, source=source)


def slurm(environ: Mapping[str, str]) -> Place | None:
    """A task of `srun`."""
    if "SLURM_PROCID" not in environ or "SLURM_STEP_NODELIST" not in environ:
        return None
    count = _number(environ, "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
    job = _number(environ, "SLURM_JOB_ID") or 0
    nodes = _number(environ, "SLURM_STEP_NUM_NODES")
    return Place(
        f"{first_host(environ['SLURM_STEP_NODELIST'])}:{_port(job)}", count, _number(environ, "SLURM_PROCID"),
        _number(environ, "SLURM_LOCALID"), count if nodes == 1 else _on_this_node(environ), "SLURM",
    )  # fmt: skip


def open_mpi(environ: Mapping[str, str]) -> Place | None:
    """A rank of Open MPI's `mpirun`. From version 5 it says where the ranks meet only if all are on one machine."""
    if "OMPI_COMM_WORLD_RANK" not in environ:
        return None
    count, beside = _number(environ, "OMPI_COMM_WORLD_SIZE"), _number(environ, "OMPI_COMM_WORLD_LOCAL_SIZE")
    launcher = environ.get("OMPI_MCA_orte_hnp_uri", "")
    host = re.search(r"tcp://(.+?)[,:]|tcp6://\[(.+?)[,\]]", launcher)
    job = re.match(r"\d+", launcher) or re.search(r"\d+", environ.get("PMIX_NAMESPACE", ""))
    port = _port(int(job[0]) // (2**12 if launcher else 1)) if job else _port(0)
    where = host[1] or f"[{host[2]}]" if host else "127.0.0.1" if count == beside else None
    return Place(
        where and f"{where}:{port}", count, _number(environ, "OMPI_COMM_WORLD_RANK"),
        _number(environ, "OMPI_COMM_WORLD_LOCAL_RANK"), beside, "Open MPI",
    )  # fmt: skip


def kubeflow(environ: Mapping[str, str]) -> Place | None:
    """A pod of a JAXJob of Kubeflow's training operator."""
    if not {"COORDINATOR_ADDRESS", "NUM_PROCESSES", "PROCESS_ID"} <= environ.keys():
        return None
    address = environ["COORDINATOR_ADDRESS"]
    if ":" not in address:
        address = f"{address}:{environ.get('COORDINATOR_PORT', _FIRST_PORT)}"
    return Place(
        address, _number(environ, "NUM_PROCESSES"), _number(environ, "PROCESS_ID"), source="Kubernetes (JAXJob)"
    )


def indexed_job(environ: Mapping[str, str]) -> Place | None:
    """A pod of an Indexed Job of Kubernetes, alone or in a JobSet. It knows its number; the manifest says the rest."""
    if "JOB_COMPLETION_INDEX" not in environ:
        return None
    return Place(index=_number(environ, "JOB_COMPLETION_INDEX"), source="Kubernetes (Indexed Job)")


def torchrun(environ: Mapping[str, str]) -> Place | None:
    """A worker of `torchrun`, or of what sets the same variables."""
    if not {"MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK"} <= environ.keys():
        return None
    port = _number(environ, "MASTER_PORT") or 0
    # torchrun itself listens at the port
    return Place(
        f"{environ['MASTER_ADDR']}:{port + 1 if port < 65535 else port - 1}", _number(environ, "WORLD_SIZE"),
        _number(environ, "RANK"), _number(environ, "LOCAL_RANK"), _number(environ, "LOCAL_WORLD_SIZE"), "torchrun",
    )  # fmt: skip


LAUNCHERS: tuple[Callable[[Mapping[str, str]], Place | None], ...] = (
    slurm, open_mpi, kubeflow, indexed_job, torchrun,
)  # fmt: skip
_LOOKED_FOR = re.compile(
    r"(JAX_(COORDINATOR|NUM_PROCESSES|PROCESS_ID)|SLURM_(JOB_ID|PROCID|NTASKS|STEP_N)|OMPI_COMM_WORLD|JOB_COMPLETION"
    r"|COORDINATOR_|NUM_PROCESSES|PROCESS_ID|MASTER_|WORLD_SIZE|RANK$)"
)


def seen(environ: Mapping[str, str]) -> str:
    """The variables in an environment that speak of processes, for errors."""
    found = [f"{name}={environ[name]}" for name in sorted(environ) if _LOOKED_FOR.match(name)]
    return ", ".join(found) if found else "none of the variables of SLURM, Open MPI, Kubernetes, torchrun or JAX"


def first_host(nodes: str) -> str:
    """The first of SLURM's list of nodes, such as `node[001-004,007],other`."""
    found = re.match(r"([^,\[]+)(?:\[(\w+)[^\]]*\]([^,\[]*))?", nodes)
    if found is None:
        raise ConfigError("a list of nodes in SLURM_STEP_NODELIST, such as node[001-004]", repr(nodes))
    return "".join(part or "" for part in found.groups())


def _on_this_node(environ: Mapping[str, str]) -> int | None:
    """How many tasks of a SLURM step are on this node, from `2(x3),1` and the number of the node."""
    counts = [
        int(n)
        for n, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
        for _ in range(int(times or 1))
    ]
    node = _number(environ, "SLURM_NODEID")
    return counts[node] if node is not None and node < len(counts) else None


def _port(job: int) -> int:
    return _FIRST_PORT + job % _PORTS


def _number(environ: Mapping[str, str], *names: str) -> int | None:
    for name in names:
        if name in environ:
            if not re.fullmatch(r"\d+", environ[name].strip()):
                raise ConfigError(f"a number in the environment's {name}", repr(environ[name]))
            return int(environ[name])
    return None
