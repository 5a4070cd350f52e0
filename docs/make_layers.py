"""Write `docs/layers.md`, the reference page of all words, from their docstrings: `python -m docs.make_layers`."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import compose  # noqa: F401  (registers the words)
from benchmarks import catalogue_keras, catalogue_torch
from compose.core import constants
from compose.core.function import Function
from compose.core.initializer import Initializer
from compose.core.registry import words
from compose.ops.registered import LISTED, OTHER_NAMES

PAGE = Path(__file__).with_name("layers.md")
CATALOGUES = {
    "Keras": catalogue_keras.LAYERS | catalogue_keras.PREPARATION,
    "torch": catalogue_torch.LAYERS,
    "Flax": {},
}
FRAMEWORKS = tuple(CATALOGUES)

HEAD = """# The words of `compose`

Made from the docstrings by `python -m docs.make_layers`; what is to change here changes there.
In shapes, `...` is any number of axes, `*space` one to three of them, and a prime marks an axis of another length.
`—`: the docstring and the catalogues under `benchmarks` name no layer or function there.
"""

OPERATIONS_HEAD = """## ops

Functions of JAX under JAX's names, with JAX's options and gradients: `ops.log1p`, `ops.sum(axis=1)`, `ops.where`.
Given bare, the function becomes its operation: `compose_seq(fc(3), jnp.exp)` is `compose_seq(fc(3), ops.exp)`, and
`functools.partial(jnp.mean, axis=1)` is `ops.mean(axis=1)`; a word of the tables above for the same function, as `tanh`
for `jnp.tanh`, comes first. Several inputs are a tuple: `branch(f, g, join=ops.maximum)`, or in a graph
`ops.maximum(x, y)`. Any argument can be an option, by its name in JAX's signature: `ops.maximum(y=0.0)` is
`jnp.maximum(x, 0.0)`. `help(ops.sum)` shows JAX's documentation.
"""

NAMES = "|".join(FRAMEWORKS)
TERM = r"`[^`]+`(?:(?:, | and | or )`[^`]+`)*"
CLAUSE = re.compile(rf"\b((?:{NAMES})(?:(?:, | and )(?:{NAMES}))*)(?:'s)?:? (?:the )?({TERM})")


def page() -> str:
    """The whole page."""
    sections = [HEAD, *(family(module, found) for module, found in sorted(families().items()))]
    named = ", ".join(f"`{name}`" for name in sorted(constant_words()))
    return "\n".join([*sections, operations(), f"## constants\n\n{sentence(constants.__doc__)}\n\n{named}\n"])


def families() -> dict[str, list[str]]:
    """The words of each module, the constants apart."""
    found: dict[str, list[str]] = {}
    for name, value in sorted(words().items()):
        module = getattr(_target(value), "__module__", "")
        if module.startswith("compose.") and hasattr(sys.modules[module], name):  # the others were registered by a user
            found.setdefault(module, []).append(name)
    return found


def operations() -> str:
    """The section of `compose.ops`: for each module of JAX the functions that it has there."""
    modules: dict[str, list[str]] = {}
    for path in LISTED:
        module, _, name = path.rpartition(".")
        modules.setdefault(f"jax.{module}", []).append(f"`{name}`")
    lists = [f"- of `{module}`: {', '.join(names)}" for module, names in sorted(modules.items())]
    others = ", ".join(f"`jax.{path}` as `ops.{name}`" for path, name in sorted(OTHER_NAMES.items()))
    return "\n".join([OPERATIONS_HEAD, *lists, f"\nFunctions that are the same by another name: {others}.\n"])


def constant_words() -> set[str]:
    """The dtypes and floats, which have no docstrings of ours."""
    is_dtype = lambda value: hasattr(value, "dtype") and getattr(value, "__module__", "").startswith("jax")
    return {name for name, value in words().items() if isinstance(value, float) or is_dtype(value)}


def family(module: str, names: list[str]) -> str:
    head = ["written", "means", "shapes", *FRAMEWORKS]
    rows = [head, ["---"] * len(head), *(row(name, sys.modules[module].__doc__) for name in names)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"## {heading(module)}\n\n{sentence(sys.modules[module].__doc__)}\n\n{table}\n"


def heading(module: str) -> str:
    """The module below its package, as `recurrent / lstm`."""
    return " / ".join(dict.fromkeys(module.split(".")[2:]))


def row(name: str, family_doc: str | None) -> list[str]:
    """One word's cells; its shapes are those of its family where it says none itself."""
    doc = docstring(name)
    shapes = after("Shapes:", doc) or after("Shapes:", family_doc or "")
    cells = [f"`{expression(name)}`", sentence(doc), sentence(shapes).split("; parameter")[0].rstrip(".")]
    cells += [", ".join(f"`{n}`" for n in elsewhere(name, framework)) or "—" for framework in FRAMEWORKS]
    return [cell.replace("|", "\\|") for cell in cells]


def expression(name: str) -> str:
    """The shortest: the bare word, or the word with the arguments it cannot do without."""
    value = words()[name]
    parameters = list(inspect.signature(_target(value)).parameters.values())
    needed = [p for p in parameters if p.default is p.empty or p.kind is p.VAR_POSITIONAL]
    if isinstance(value, Function | Initializer):
        needed = [p for p in needed if p.annotation is not p.empty]  # the inputs have no annotation, options do
        return f"{name}({', '.join(f'{p.name}=...' for p in needed)})" if needed else name
    shown = ", ".join(str(p).split(":")[0] for p in needed)
    return f"{name}({shown})" if shown else name


def elsewhere(name: str, framework: str) -> list[str]:
    """Its names in a framework: by the docstring's `Elsewhere:`, the catalogues, or any mention of one."""
    doc = docstring(name)
    said = after("Elsewhere:", doc)
    if re.search(rf"\b{framework}\b", said):
        return mentioned(said, framework)
    return catalogued(name, framework) or mentioned(doc, framework)


def mentioned(text: str, framework: str) -> list[str]:
    clauses = [terms for who, terms in CLAUSE.findall(text) if framework in who]
    found = [term for terms in clauses for term in re.findall(r"`([^`]+)`", terms)]
    return list(dict.fromkeys(term for term in found if re.fullmatch(r"[\w./]+(\(.*\))?", term)))


def catalogued(name: str, framework: str) -> list[str]:
    classes = [c for key, ours in CATALOGUES[framework].items() if _head(ours) == name for c in key.split()]
    return _folded([c for c in classes if not c.startswith("Lazy")])


def docstring(name: str) -> str:
    """The text before the arguments and the examples, each paragraph in one line."""
    text = re.split(r"\n(?:Args:|>>>)", inspect.getdoc(_target(words()[name])) or "")[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def after(mark: str, doc: str) -> str:
    """What follows a mark in its paragraph."""
    return doc.partition(mark)[2].partition("\n\n")[0].strip()


def sentence(text: str | None) -> str:
    """The first."""
    return " ".join(re.split(r"(?<=\.)\s|\n\n", (text or "").strip())[0].split())


def _target(value: Any) -> Any:
    return value.fn if isinstance(value, Function | Initializer) else value


def _head(expression: str) -> str:
    node = ast.parse(expression, mode="eval").body
    node = node.func if isinstance(node, ast.Call) else node
    return node.id if isinstance(node, ast.Name) else ""


def _folded(classes: list[str]) -> list[str]:
    """`Conv1d, Conv2d, Conv3d` as `Conv1d/2d/3d`."""
    found: dict[str, list[str]] = {}
    for name in classes:
        stem = re.sub(r"\d[dD]$", "", name)
        found.setdefault(stem, []).append(name[len(stem) :])
    return [stem + "/".join(sizes) for stem, sizes in found.items()]


if __name__ == "__main__":
    PAGE.write_text(page())
