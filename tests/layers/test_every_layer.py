"""Every case of every family through every transformation, against its reference, as text and as a tree."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import compose
from compose import Layer, parse
from compose.core.function import Function
from compose.core.plan import specs
from compose.core.printing import source
from compose.core.registry import words
from compose.core.run import pack
from compose.train import Trained
from tests.cases.subject import FAST_COMPILE, Subject, assert_close, cotangent, families, label, numpy_tree

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = [pytest.param(case, id=f"{family}: {case.id}") for family, cases in families().items() for case in cases]

