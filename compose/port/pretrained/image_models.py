"""Models of timm and torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compose.port.pretrained.source import SourceModel, Wanted, download, library, unknown


def from_timm(wanted: Wanted) -> SourceModel:
    timm = library("timm")
    plain = wanted.name.partition(".")[0]
    if not timm.is_model(plain):
        raise unknown("a model of timm", wanted.name, timm.list_models())
    by_hand = f"fetch model.safetensors of timm/{wanted.name} from the Hugging Face Hub, and name it as weights=FILE"
    with download(wanted, by_hand):
        model = timm.create_model(wanted.name, pretrained=wanted.weights is None, **wanted.options)
    if wanted.weights is not None:  # timm's own option for a file leaves out a head of another size in silence
        timm.models.load_checkpoint(model, str(wanted.weights), strict=True)
    size = timm.data.resolve_model_data_config(model)["input_size"]
    return SourceModel("torch", model.eval(), (_images(size),))


def from_torchvision(wanted: Wanted) -> SourceModel:
    models = library("torchvision").models
    if wanted.name not in models.list_models():
        raise unknown("a model of torchvision", wanted.name, models.list_models())
    best = models.get_model_weights(wanted.name).DEFAULT
    if wanted.weights is not None:
        model = models.get_model(wanted.name, weights=None, **wanted.options)
        model.load_state_dict(_state_dict(wanted.weights))
    else:
        with download(wanted, f"fetch {best.url}, and name it as weights=FILE"):
            model = models.get_model(wanted.name, weights=best, **wanted.options)
    side = best.transforms().crop_size[0]
    return SourceModel("torch", model.eval(), (_images((3, side, side)),))


def _state_dict(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _images(size: tuple[int, ...]) -> Any:
    import torch

    return torch.randn(2, *size, generator=torch.Generator().manual_seed(0))
