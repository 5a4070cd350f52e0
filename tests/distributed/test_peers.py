"""Which errors say that another process is lost. What follows is in tests/train/test_over_processes.py."""

from __future__ import annotations

import jax
import pytest

from compose.distributed.peers import fail, is_loss, together

LOST = (
    "UNKNOWN: Gloo AllGather failed: [external/gloo/transport/tcp/pair.cc:547] Connection closed by peer [::1]:2478",
    "INTERNAL: Gloo all-reduce failed: Connection reset by peer",
    "UNAVAILABLE: The following tasks are unhealthy (stopped sending heartbeats)",
    "INTERNAL: NCCL operation ncclAllReduce failed: remote process exited or there was a network error",
    "DEADLINE_EXCEEDED: Barrier timed out",
)  # fmt: skip
OWN = ("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes", "INVALID_ARGUMENT: shapes differ")


def test_errors_of_the_runtime_that_say_so():
    for text in LOST:
        assert is_loss(jax.errors.JaxRuntimeError(text)), text
    for text in OWN:
        assert not is_loss(jax.errors.JaxRuntimeError(text)), text


def test_causes_count_and_other_kinds_do_not():
    try:
        try:
            raise jax.errors.JaxRuntimeError(LOST[0])
        except jax.errors.JaxRuntimeError as e:
            raise ValueError("while saving") from e
    except ValueError as e:
        assert is_loss(e)
    assert not is_loss(ValueError("connection reset by peer"))


def test_one_process_raises_as_ever():
    with pytest.raises(jax.errors.JaxRuntimeError, match="Gloo"), together(lambda: "never said"):
        raise jax.errors.JaxRuntimeError(LOST[0])


def test_a_failure_of_one_process_exits_as_ever(capsys):
    with pytest.raises(SystemExit) as exit:
        fail("wrong")
    assert exit.value.code == 1 and capsys.readouterr().err == "wrong\n"
