"""Where a process stands, by what launchers set."""

from __future__ import annotations

import pytest

from compose.core.errors import ConfigError
from compose.distributed.environment import Place, first_host, place_in, seen

SLURM = {
    "SLURM_JOB_ID": "5000", "SLURM_STEP_NODELIST": "gpu[017-018,021]", "SLURM_NTASKS": "16",
    "SLURM_STEP_NUM_TASKS": "12", "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_STEP_NUM_NODES": "3",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2),2", "SLURM_NODEID": "1",
}  # fmt: skip
MPI_4 = {
    "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2", "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
}  # fmt: skip
MPI_5 = {
    "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2", "PMIX_NAMESPACE": "prterun-host-4242@1",
}  # fmt: skip
JOB = {"JOB_COMPLETION_INDEX": "3", "JAX_COORDINATOR_ADDRESS": "train-0.train:1234", "JAX_NUM_PROCESSES": "4"}
JAXJOB = {"COORDINATOR_ADDRESS": "job-0", "COORDINATOR_PORT": "6666", "NUM_PROCESSES": "3", "PROCESS_ID": "2"}
TORCHRUN = {
    "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, Place()),
        (SLURM, Place("gpu017:62344", 12, 5, 1, 4, "SLURM")),
        (MPI_4, Place("10.96.0.1:62624", 8, 3, 1, 2, "Open MPI")),
        (MPI_5, Place("127.0.0.1:61586", 2, 1, 1, 2, "Open MPI")),
        ({**MPI_5, "OMPI_COMM_WORLD_SIZE": "4"}, Place(None, 4, 1, 1, 2, "Open MPI")),
        (JOB, Place("train-0.train:1234", 4, 3, source="Kubernetes (Indexed Job) and JAX_*")),
        (JAXJOB, Place("job-0:6666", 3, 2, source="Kubernetes (JAXJob)")),
        (TORCHRUN, Place("10.0.0.1:29501", 4, 3, 1, 2, "torchrun")),
        ({"JAX_PROCESS_ID": "0", "JAX_NUM_PROCESSES": "2"}, Place(count=2, index=0, source="JAX_*")),
        ({**SLURM, "JAX_COORDINATOR_ADDRESS": "a:1"}, Place("a:1", 12, 5, 1, 4, "SLURM and JAX_*")),
    ],
)  # fmt: skip
def test_launchers(environ, place):
    assert place_in(environ) == place


def test_ports_are_those_of_jax(monkeypatch):
    """So that a process started by jax.distributed.initialize itself would meet the others."""
    from jax._src.clusters.ompi_cluster import OmpiCluster
    from jax._src.clusters.slurm_cluster import SlurmCluster

    for environ, cluster in ((SLURM, SlurmCluster), (MPI_4, OmpiCluster)):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert place_in(environ).coordinator == cluster.get_coordinator_address(None, None)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node001", "node001"), ("node001,host2", "node001"), ("node[001-0015],host2", "node001"),
        ("node[001,007-015],host2", "node001"), ("rack-a[3]", "rack-a3"), ("n[01-04].cluster", "n01.cluster"),
    ],
)  # fmt: skip
def test_lists_of_nodes(nodes, first):
    assert first_host(nodes) == first


def test_what_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="a number in the environment's SLURM_PROCID, got 'five'"):
        place_in({**SLURM, "SLURM_PROCID": "five"})
    with pytest.raises(ConfigError, match="JAX_NUM_PROCESSES"):
        place_in({"JAX_NUM_PROCESSES": "-2"})


def test_what_an_error_tells_of_the_environment():
    assert seen({"HOME": "/root", "JAX_PROCESS_ID": "0", "SLURM_PROCID": "1"}) == "JAX_PROCESS_ID=0, SLURM_PROCID=1"
    assert "none of the variables" in seen({"HOME": "/root"})
