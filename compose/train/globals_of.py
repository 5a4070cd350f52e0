"""What code reads from outside: the globals that it names, and which modules are installed and so never change."""

from __future__ import annotations

import dis
import functools
import os
import site
import sys
import sysconfig
from types import CodeType
from typing import Any

_FOLDERS = (*site.getsitepackages(), *(sysconfig.get_path(n) for n in ("stdlib", "platstdlib", "purelib", "platlib")))
_INSTALLED = tuple({os.path.join(folder, "") for folder in _FOLDERS})


@functools.lru_cache(maxsize=4096)
def globals_of(code: CodeType) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of the globals that code reads, nested functions included, each with the attributes read from it.

    `config.rates.low` gives `("config", ("rates", "low"))`. A module that the code itself imports counts as a global.
    """
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    name: Any = None
    attributes: tuple[str, ...] = ()
    for opcode, argument in (*((step.opname, str(step.argval)) for step in dis.get_instructions(code)), ("", "")):
        if name is not None and opcode in ("LOAD_ATTR", "LOAD_METHOD"):
            attributes = (*attributes, argument)
            continue
        if name is not None:
            found[name, attributes] = None
        named = opcode in ("LOAD_GLOBAL", "LOAD_NAME", "IMPORT_NAME")
        name, attributes = (argument if named else None), ()
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found.update(dict.fromkeys(globals_of(inner)))
    return tuple(found)


@functools.cache
def installed(module: str) -> bool:
    """Whether a module belongs to Python, to an installed library or to this one."""
    top = module.partition(".")[0]
    if top == "__main__":
        return False
    if top in sys.stdlib_module_names or top in ("jax", "jaxlib", "optax", "compose"):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and file.startswith(_INSTALLED)


def of_library(value: Any) -> bool:
    """Whether a value is a class of an installed module, or what such a module calls by the value's own name."""
    if isinstance(value, type(sys)):
        return installed(value.__name__)
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or not installed(module):
        return False
    found: Any = sys.modules.get(module)
    for part in getattr(value, "__qualname__", "<unnamed>").split("."):
        found = getattr(found, part, None)
    return found is value or isinstance(value, type)
