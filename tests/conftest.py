"""Fixtures for every test."""

from __future__ import annotations

import contextlib
import functools
import gc
import os

import jaxlib

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Threads of OpenMP wait for each other by spinning: those of two workers on two cores double the time of torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Compiling is most of what tests cost, and their programs run once. Before jaxlib 0.11, XLA has an older code generator
# for fusions, which takes a fifth of the time.
os.environ["XLA_FLAGS"] = " ".join(
    (
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1" * (jaxlib.__version__ < "0.11"),
        os.environ.get("XLA_FLAGS", ""),
    )
).strip()

with contextlib.suppress(ImportError):
    import triton  # noqa: F401  before TensorFlow: after it, the first export of a CUDA build of torch would crash
import jax
import numpy as np
import pytest
from jax._src.interpreters import mlir

# A context of MLIR takes 5 ms, of 15 that a small program takes to be lowered: one serves all programs of a module, but
# for those that are lowered while another one is.
new_context, shared_context = mlir.make_ir_context, functools.cache(mlir.make_ir_context)
mlir.make_ir_context = lambda: new_context() if is_lowering() else shared_context()


def is_lowering() -> bool:
    try:
        return mlir.ir.Context.current is not None
    except ValueError:
        return False


pytest_plugins = ("tests.missing_packages", "tests.fast_cases")


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the parameter trees of tests/golden anew")


def pytest_configure(config):
    """Compiled programs are kept on disk, beside pytest's own cache, for the other worker and for the next run."""
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR") and hasattr(config, "cache"):
        jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir(f"xla-{jax.__version__}")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def pytest_collection_finish():
    """Modules and tests stay to the end: the garbage collector need not look at them, 6 to 10 % of the time of all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True, scope="module")
def compiled_code_goes():
    """What a module compiled is not kept to the end: thousands of small programs take gigabytes."""
    yield
    jax.clear_caches()
    shared_context.cache_clear()


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
