"""Pre-trained models by name: loaded by their own library once, ported, proven, and kept in a folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from compose.cache import cache_folder
from compose.core.errors import FileError, PortError
from compose.port.ported import Ported, load
from compose.port.pretrained.source import SOURCES, Source, Wanted
from compose.port.proof.verify import LEVELS


def from_pretrained(
    name: str,
    *inputs: Any,
    weights: str | Path | None = None,
    folder: str | Path | None = None,
    level: str = "gradients",
    **options: Any,
) -> Ported:
    """A pre-trained model as a port, from the folder where it was kept the last time or else from its own library.

    The first call loads the model with its library, ports it, proves it, and keeps it as `Ported.save` does. Later
    calls read that folder: they need neither the network nor the library, and check the digest of each file. Of such
    a port everything works but `verify`, which needs the source model.

    ```
    port.from_pretrained("timm/resnet18.a1_in1k")
    port.from_pretrained("torchvision/resnet18")
    port.from_pretrained("keras/MobileNetV2", alpha=0.5)
    port.from_pretrained("hf:distilbert-base-uncased")
    port.from_pretrained("hf:my/folder")  # what save_pretrained wrote
    ```

    Args:
        name: the library and its name of the model, with `/` or `:` between them. `hf` takes a model of the Hugging
            Face Hub or a folder, and builds the class that its configuration names first.
        inputs: example inputs, as for the front end. By default two images of the model's size, or two texts.
        weights: a file with the weights, instead of a download: safetensors or a `state_dict` for timm and torchvision,
            `.weights.h5` or `.h5` for Keras. For `hf`, name the folder.
        folder: where ports are kept; by default `pretrained` in `COMPOSE_CACHE`, or in the platform's cache folder.
        level: of the proof, as for `Ported.verify`.
        options: for the library's constructor, as `num_classes=10`. For `hf`, `architecture="DistilBertModel"` names
            another class of transformers.

    Raises `PortError` for a name that the library does not have, a library that is not installed, weights that
    cannot be downloaded (it says which file to fetch, and where from), and a model that cannot be ported; and
    `FileError` for a kept port that is damaged.
    """
    source, wanted = _wanted(name, inputs, weights, options)
    kept = (Path(folder) if folder is not None else cache_folder() / "pretrained") / _folder_name(source, wanted)
    if kept.is_dir() and _proven_to(kept, level):
        return load(kept)
    port = _port(source, wanted)
    report = port.verify(level)
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    try:
        port.save(draft, report)
        shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process may have been faster
            draft.rename(kept)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return port


def read_pretrained(name: str, *inputs: Any, weights: str | Path | None = None, **options: Any) -> Ported:
    """The port alone, neither proven nor kept; see `from_pretrained`."""
    return _port(*_wanted(name, inputs, weights, options))


def _wanted(name: str, inputs: tuple, weights: str | Path | None, options: dict[str, Any]) -> tuple[Source, Wanted]:
    library, separator, model = re.match(r"(\w*)([:/]?)(.*)", name, re.DOTALL).groups()  # pyright: ignore
    if library not in SOURCES or not separator or not model:
        known = ", ".join(f"{each}/NAME" for each in SOURCES)
        raise PortError(f"the name of a pre-trained model as {known}, got {name!r}")
    file = None if weights is None else Path(weights)
    if file is not None and not file.is_file():
        raise PortError(f"a file of weights, got {str(file)!r}")
    return SOURCES[library], Wanted(library, model, inputs, file, options)


def _port(source: Source, wanted: Wanted) -> Ported:
    model = source(wanted)
    if model.framework == "keras":
        from compose.port.frontends.keras import from_keras as read
    else:
        from compose.port.frontends.torch import from_torch as read
    return read(model.model, *(wanted.inputs or model.inputs), **({} if wanted.inputs else model.named))


def _proven_to(folder: Path, level: str) -> bool:
    """Whether a kept port was proven to this level or a higher one."""
    if level not in LEVELS:
        raise PortError(f"one of the levels {', '.join(LEVELS)}, got {level!r}")
    try:
        return LEVELS.index(json.loads((folder / "report.json").read_text())["level"]) >= LEVELS.index(level)
    except (OSError, ValueError, KeyError) as e:
        raise FileError(f"{folder / 'report.json'}: {e}; delete the folder to port the model again") from None


def _folder_name(source: Source, wanted: Wanted) -> str:
    """A readable name, with a digest of what else tells one port of this model from another."""
    plain = re.sub(r"[^\w.-]+", "-", f"{wanted.library}-{wanted.name}").strip("-")
    others: list[Any] = [sorted((k, repr(v)) for k, v in wanted.options.items())]
    others.append([[str(getattr(x, "dtype", "")), list(getattr(x, "shape", ()))] for x in wanted.inputs])
    others.append(None if wanted.weights is None else _digest([wanted.weights]))
    local = Path(wanted.name)
    if wanted.library == "hf" and local.is_dir():
        others.append(_digest(sorted(path for path in local.iterdir() if path.is_file())))
    if others == [[], [], None]:
        return plain
    return f"{plain[-80:]}-{hashlib.sha256(json.dumps(others).encode()).hexdigest()[:12]}"


def _digest(paths: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return whole.hexdigest()
