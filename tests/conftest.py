"""Fixtures for every test."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the parameter trees of tests/golden anew")


@pytest.fixture(autouse=True, scope="module")
def compiled_code_goes():
    """What a module compiled is not kept to the end: thousands of small programs take gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture
def x64():
    """float64 throughout a test, where noise would hide a bug."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def key():
    return jax.random.key(0)
