"""Imports inside the package: no circles, and arrows between folders that point one way.

Read from the source with `ast`. An import inside a function counts; one under `if TYPE_CHECKING:` does not.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import compose

ROOT = Path(compose.__file__).parent
VOCABULARY = ("core", "ops", "combinators", "layers")
PORT = ("port.ir", "port.lowering", "port.structure", "port.codegen", "port.train", "port.proof", "port.bundle")

# What each folder may import besides itself. Layers and combinators are one level: some layers are networks, and
# `bidirectional` joins with a layer. Any folder may import the files beside the folders, such as `compose.atomic`.
ALLOWED: dict[str, tuple[str, ...]] = {
    "core": (),
    "ops": ("core",),
    "combinators": ("core", "ops", "layers"),
    "layers": ("core", "ops", "combinators"),
    "summary": VOCABULARY,
    "plots": VOCABULARY,
    "sharding": ("core",),
    "distributed": ("core",),
    "data": VOCABULARY,
    "train": (*VOCABULARY, "plots", "sharding", "distributed", "data"),
    "flax": VOCABULARY,
    "keras": VOCABULARY,
    "port.ir": VOCABULARY,
    "port.lowering": (*VOCABULARY, "port.ir"),
    "port.structure": (*VOCABULARY, "port.ir", "port.lowering"),
    "port.codegen": (*VOCABULARY, "port.ir", "port.lowering", "port.structure"),
    "port.result": (*VOCABULARY, "port.ir", "port.structure"),
    "port.train": (*VOCABULARY, "train", "port.ir", "port.result"),
    "port.proof": (*VOCABULARY, "train", "port.ir", "port.train", "port.result"),
    "port.bundle": (*VOCABULARY, "train", *PORT[:-1], "port.result"),
    "port.ported": (*VOCABULARY, "train", *PORT, "port.result"),
    "port.frontends": (*VOCABULARY, "train", "flax", "keras", *PORT, "port.result", "port.ported"),
    "port.pretrained": (*VOCABULARY, "port.ported", "port.proof", "port.frontends"),
    "port": ("port.ported", "port.bundle", "port.frontends"),
    "export": (*VOCABULARY, "train", "keras"),
    "serve": (*VOCABULARY, "summary", "train"),
    "report": (*VOCABULARY, "summary", "plots", "train"),
    "federated": (*VOCABULARY, "train"),
    "cli": (
        *VOCABULARY, "summary", "plots", "train", "report", "data", "export", "serve", "flax", "port", *PORT,
        "distributed", "port.ported", "port.frontends", "port.pretrained",
    ),
}  # fmt: skip
OVER_THE_VOCABULARY = ("port.codegen", "port.frontends", "cli")  # may `import compose` itself


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    names = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a file imports."""
    tree = ast.parse(path.read_text())
    guarded = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from (m for m in (name if name in known else node.module,) if m in known)


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imports(path, known)) - {name} for name, path in known.items()}


def folder(module: str) -> str:
    """`core` for `compose.core.layer`, `port.ir` for `compose.port.ir.graph`, '' for what lies beside the folders."""
    parts = module.split(".")[1:]
    depth = 2 if parts[:1] == ["port"] and len(parts) > 1 else 1
    name = ".".join(parts[:depth])
    return name if name in ALLOWED or (ROOT / Path(*parts[:depth])).is_dir() else ""


def test_no_module_imports_itself_through_others():
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as e:
        circle = " -> ".join(reversed(e.args[1]))
        raise AssertionError(f"a circle of imports: {circle}") from None


def test_arrows_between_folders_point_one_way():
    against = []
    for module, imported in graph().items():
        here = folder(module)
        for other in sorted(imported):
            there = folder(other)
            allowed = (*ALLOWED.get(here, ()), here, "", *(("compose",) if here in OVER_THE_VOCABULARY else ()))
            beside = there == "" and other == "compose" and here not in ("", *OVER_THE_VOCABULARY)
            if here and (there not in allowed or beside):
                against.append(f"{module} imports {other}")
    assert not against, "\n".join(against)


def test_the_table_of_arrows_has_no_circle():
    one_level = {"layers": "combinators"}
    arrows: dict[str, set[str]] = {}
    for name, below in ALLOWED.items():
        here = one_level.get(name, name)
        arrows.setdefault(here, set()).update({one_level.get(b, b) for b in below} - {here})
    TopologicalSorter(arrows).prepare()


def test_the_table_names_every_folder():
    folders = {folder(name) for name in modules()} - {""}
    assert folders <= set(ALLOWED)


def test_core_names_nothing_above_it():
    text = {path.name: path.read_text() for path in (ROOT / "core").glob("*.py")}
    assert all("import_module" not in source for source in text.values())
