"""Models of Hugging Face's transformers, from the Hub or from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compose.core.errors import PortError
from compose.port.pretrained.source import SourceModel, Wanted, download, library

STEPS = 8  # of an example text


def from_hugging_face(wanted: Wanted) -> SourceModel:
    transformers = library("transformers")
    options = dict(wanted.options)
    asked = options.pop("architecture", None)
    if wanted.name.startswith((".", "/", "~")) and not Path(wanted.name).is_dir():
        raise PortError(f"a folder that save_pretrained wrote, or a name on the Hub, got {wanted.name!r}")
    by_hand = (
        f"fetch config.json and model.safetensors of {wanted.name} from the Hugging Face Hub into one folder, "
        "and name it: from_pretrained('hf:FOLDER')"
    )
    with download(wanted, by_hand):
        config = transformers.AutoConfig.from_pretrained(wanted.name)
        name = asked or next(iter(config.architectures or ()), None)
        build = getattr(transformers, name or "AutoModel", None)
        if build is None:
            raise PortError(f"a class of transformers for {wanted}, got architecture={name!r}")
        model = build.from_pretrained(wanted.name, **options).eval()
    return SourceModel("torch", model, (), {} if wanted.inputs else _example(model, wanted))


def _example(model: Any, wanted: Wanted) -> dict[str, Any]:
    """Two examples of what the model reads first."""
    import torch

    draw, config, main = torch.Generator().manual_seed(0), model.config, model.main_input_name
    if main == "input_ids":
        text = config.get_text_config()
        ids = torch.randint(1, text.vocab_size, (2, STEPS), generator=draw)
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return {**given, "decoder_input_ids": ids} if config.is_encoder_decoder else given
    size = getattr(config, "image_size", None)
    if main == "pixel_values" and size is not None:
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        return {main: torch.randn(2, getattr(config, "num_channels", 3), height, width, generator=draw)}
    raise PortError(f"example inputs for {wanted}, whose first is {main}: from_pretrained({str(wanted)!r}, *inputs)")
