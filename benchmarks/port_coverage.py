"""How many of torchvision's classifiers and of Keras's applications port, each with its proof.

    python benchmarks/port_coverage.py --out torch.jsonl                 all that the file does not have yet
    python benchmarks/port_coverage.py --out keras.jsonl --keras
    python benchmarks/port_coverage.py --out torch.jsonl resnet18 vit_b_16     these again

Each model runs in a process of its own, smallest first, so that its memory is returned, and adds one JSON line. Weights
are random, images as small as the model takes; errors are the largest relative ones in float64 on perturbed weights.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLUMNS = ("model", "parameters", "ported", "graph", "lines", "forward", "gradients", "seconds")
MOST_FOR_GRADIENTS = 150e6  # parameters; above, float64 gradients on both sides do not fit in 24 GiB
IMAGE = 64
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # each compiles for one run
IMAGES = {"inception_v3": 96, "maxvit": 224, "swin": 224}
KERAS_IMAGES = {"Inception": 75, "Xception": 71, "": 32}
KERAS_MILLIONS = {
    "MobileNetV3Small": 2.6, "MobileNetV2": 3.5, "MobileNet": 4.3, "EfficientNetB0": 5.3, "NASNetMobile": 5.3,
    "MobileNetV3Large": 5.5, "EfficientNetV2B0": 7.2, "EfficientNetB1": 7.9, "DenseNet121": 8.1,
    "EfficientNetV2B1": 8.2, "EfficientNetB2": 9.2, "EfficientNetV2B2": 10.2, "EfficientNetB3": 12.3,
    "DenseNet169": 14.3, "EfficientNetV2B3": 14.5, "EfficientNetB4": 19.5, "DenseNet201": 20.2,
    "EfficientNetV2S": 21.6, "Xception": 22.9, "InceptionV3": 23.9, "ResNet50V2": 25.6, "ResNet50": 25.6,
    "ConvNeXtTiny": 28.6, "EfficientNetB5": 30.6, "VGG16": 33.6, "EfficientNetB6": 43.3, "ResNet101V2": 44.7,
    "ResNet101": 44.7, "VGG19": 38.9, "ConvNeXtSmall": 50.2, "EfficientNetV2M": 54.4, "InceptionResNetV2": 55.9,
    "ResNet152V2": 60.4, "ResNet152": 60.4, "EfficientNetB7": 66.7, "ConvNeXtBase": 88.6, "NASNetLarge": 88.9,
    "EfficientNetV2L": 119.0, "ConvNeXtLarge": 197.8, "ConvNeXtXLarge": 350.2,
}  # fmt: skip
SIZED = {"vit_h_14": 56, "vit": 64}  # these take the size of their images as an argument


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="by default every model that the file does not have")
    parser.add_argument("--out", type=Path, required=True, help="the JSON lines file that is added to")
    parser.add_argument("--keras", action="store_true", help="keras.applications instead of torchvision")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for a model")
    parser.add_argument("--largest", type=float, default=float("inf"), help="parameters, above which a model waits")
    parser.add_argument("--level", choices=("none", "outputs", "gradients"), default="gradients", help="of the proof")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, keras_port if args.keras else torch_port, args.level)))
        return
    sizes = keras_models() if args.keras else torch_models()
    rows = read(args.out)
    todo = args.models or [
        m for m in sorted(sizes, key=sizes.__getitem__) if m not in rows and sizes[m] <= args.largest
    ]
    for model in todo:
        rows[model] = run(model, args, __file__, ["--keras"] * args.keras)
        note(rows[model], args.out)
    print("\n" + table(rows, len(sizes)))


def run(model: str, args: argparse.Namespace, script: str, options: list[str]) -> dict[str, Any]:
    """One model in a process of its own, of the script that was started."""
    command = [sys.executable, script, "--one", model, "--out", str(args.out), "--level", args.level, *options]
    variables = {**os.environ, "XLA_FLAGS": os.environ.get("XLA_FLAGS", QUICK)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=args.timeout, env=variables)
    except subprocess.TimeoutExpired:
        return {"model": model, "ported": False, "note": f"more than {args.timeout:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return {"model": model, "ported": False, "note": f"exit status {done.returncode}: {last}"}
    return json.loads(done.stdout.splitlines()[-1])


def note(row: dict[str, Any], out: Path) -> None:
    """Add a row to the file, and show it."""
    with out.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(text(row), flush=True)


def measure(name: str, ports: Callable, level: str) -> dict[str, Any]:
    """Port one model and prove it; `ports(name, row)` gives the port, and notes the parameters."""
    from compose.core.errors import ComposeError

    started = time.perf_counter()
    row: dict[str, Any] = {"model": name, "ported": False}
    try:
        ported = ports(name, row)
        source = ported.source
        row |= {"ported": True, "graph": "graph(" in str(ported.net), "lines": lines_of(source)}
        if level == "gradients" and row["parameters"] > MOST_FOR_GRADIENTS:
            level, row["note"] = "outputs", "too large for gradients"
        if level != "none":
            prove(ported, level, row)
    except (ComposeError, NotImplementedError) as e:
        row["note"] = f"{type(e).__name__}: {e}"
    row["seconds"] = round(time.perf_counter() - started)
    return row


def keras_port(name: str, row: dict[str, Any]) -> Any:
    from compose import port

    model = keras_model(name)
    row["parameters"] = model.count_params()
    return port.from_keras(model)


def torch_port(name: str, row: dict[str, Any], build: Callable | None = None) -> Any:
    """The port of one of torchvision's models, or of another that `build` makes with its inputs."""
    from compose import port

    model, *inputs = (build or torch_model)(name)
    row["parameters"] = sum(p.numel() for p in model.parameters())
    return port.from_torch(model, *inputs)


def prove(ported: Any, level: str, row: dict[str, Any]) -> None:
    for check in ported.verify(level).rows:
        key = "forward" if check.check == "outputs" else check.check
        if key != "weights":
            row[key] = max(row.get(key, 0.0), check.error)


def lines_of(source: str) -> int:
    """The lines of a source, without imports and empty lines."""
    tree = ast.parse(source)
    imports = {n for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) for n in _span(node)}
    return sum(bool(line.strip()) and i not in imports for i, line in enumerate(source.splitlines(), 1))


def _span(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


# The models.


def torchvision() -> Any:
    """torchvision, also where its compiled operations were built for another torch and do not load.

    Its Python part then fails on import because it describes `nms`, which the classifiers do not use.
    """
    try:
        import torchvision
    except RuntimeError:
        nms_alone()
        for name in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        import torchvision
    return torchvision


@functools.cache  # which keeps the library: its operations go with it
def nms_alone() -> Any:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def torch_models() -> dict[str, int]:
    """torchvision's classifiers and their numbers of parameters."""
    models = torchvision().models
    size = lambda name: models.get_model_weights(name).DEFAULT.meta["num_params"]
    return {name: size(name) for name in models.list_models(module=models)}


def torch_model(name: str) -> tuple[Any, Any]:
    import torch

    torch.manual_seed(0)
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": False}  # their initialiser takes minutes
    side = next((size for part, size in IMAGES.items() if name.startswith(part)), IMAGE)
    for part, size in SIZED.items():
        if name.startswith(part):
            side = options["image_size"] = size
            break
    model = torchvision().models.get_model(name, weights=None, **options)
    return model.eval(), torch.randn(2, 3, side, side)


def keras_models() -> dict[str, int]:
    """The builders of keras.applications and about how many parameters they make at our size of images."""
    import inspect

    import keras

    names = [n for n, f in vars(keras.applications).items() if inspect.isfunction(f)]
    return {name: int(KERAS_MILLIONS[name] * 1e6) for name in names}


def keras_model(name: str) -> Any:
    import keras
    import numpy as np

    rng = np.random.default_rng(0)

    def draw(self, shape, dtype=None):  # as Keras's he_normal, which compiles for every shape
        return keras.ops.convert_to_tensor(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape), dtype)

    keras.initializers.VarianceScaling.__call__ = draw
    side = next(size for part, size in KERAS_IMAGES.items() if name.startswith(part))
    build = getattr(keras.applications, name)  # logits: a softmax of random ones may be 0 and 1 without a gradient
    return build(weights=None, input_shape=(side, side, 3), classifier_activation=None)


# The table.


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a file; of a model that is there twice, the later."""
    rows = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return {row["model"]: row for row in rows}


def text(row: dict[str, Any]) -> str:
    def cell(key: str) -> str:
        value = row.get(key)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.1e}"
        return f"{value:,}" if isinstance(value, int) else str(value or "")

    note = str(row.get("note", "")).replace("\n", " ")[:160]
    return f"{row['model']:<24}" + "".join(f"{cell(c):>13}" for c in COLUMNS[1:]) + (f"  {note}" if note else "")


def table(rows: dict[str, dict[str, Any]], total: int) -> str:
    heading = f"{COLUMNS[0]:<24}" + "".join(f"{c:>13}" for c in COLUMNS[1:])
    ported = [r for r in rows.values() if r["ported"]]
    proven = lambda key: sum(r.get(key, 1.0) <= 1e-10 for r in ported)
    plain = sum(not r["graph"] for r in ported)
    found = f"{len(ported)} of {total} ported, {plain} without graph(...); "
    found += f"forward equal: {proven('forward')}, gradients: {proven('gradients')}"
    return "\n".join([heading, *map(text, rows.values()), found])


if __name__ == "__main__":
    main()
