"""The platform that a program is traced for."""

from __future__ import annotations

import pytest

from compose.core.platform import on_cpu, tracing_for


def test_it_is_jaxs_default_device_but_where_another_is_named():
    assert on_cpu()
    with tracing_for(["cuda"]):
        assert not on_cpu()
        with tracing_for(("cpu",)):
            assert on_cpu()
    assert on_cpu()


def test_a_program_for_several_platforms_is_not_for_cpus_alone():
    with tracing_for(("cpu", "cuda")):
        assert not on_cpu()


def test_an_error_ends_it():
    with pytest.raises(KeyError), tracing_for(["tpu"]):
        raise KeyError
    assert on_cpu()
