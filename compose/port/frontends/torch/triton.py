"""Triton, which the CUDA builds of PyTorch bring, in a process that has imported TensorFlow."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys


def import_triton_beside_tensorflow() -> None:
    """Import Triton, where it is installed, with its own symbols first if TensorFlow was imported before.

    The first export of a process imports Triton. Both libraries contain LLVM, and Triton's calls would end in
    TensorFlow's copy: a segmentation fault. Does nothing where TensorFlow is not imported or Triton already is.
    """
    if "tensorflow" not in sys.modules or "triton" in sys.modules or not hasattr(os, "RTLD_DEEPBIND"):
        return
    if importlib.util.find_spec("triton") is None:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        importlib.import_module("triton")
    finally:
        sys.setdlopenflags(flags)
