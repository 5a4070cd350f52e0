"""Models of libraries that only the extra `zoo` installs."""

from __future__ import annotations

import importlib.util

import pytest


def needs(*packages: str) -> None:
    """Skip the test module that calls this unless these packages are installed.

    It does not import them: where torchvision was built for another torch, `benchmarks.zoo.torchvision` does.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            reason = f"could not import '{package}': pip install 'compose-jax[zoo]'"
            pytest.skip(reason, allow_module_level=True)
