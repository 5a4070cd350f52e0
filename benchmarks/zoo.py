"""Small models of torchvision, keras.applications, transformers and timm with random weights, for benchmarks and tests.

Nothing is downloaded: a transformer is built from a small configuration of `transformers.json`, and timm has one small
model of each family.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
from pathlib import Path
from typing import Any

SIDE = 64
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

_TRANSFORMERS = json.loads((Path(__file__).parent / "transformers.json").read_text())
# Of each transformer: its class, a configuration that others share, its own, what it is fed, and what is read of it.
TRANSFORMERS: dict[str, list[Any]] = _TRANSFORMERS["families"]
TIMM = (
    "resnetv2_18", "efficientnet_b0", "convnext_atto", "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224",
    "swin_tiny_patch4_window7_224", "mixer_s32_224", "resmlp_12_224", "gmlp_ti16_224", "levit_128s",
    "poolformer_s12", "mobilevit_xxs", "mobilevitv2_050", "coat_lite_tiny", "cait_xxs24_224", "xcit_nano_12_p16_224",
    "edgenext_xx_small", "ghostnet_050", "hrnet_w18_small", "dla34", "rexnet_100", "nf_resnet26", "regnety_002",
    "repvgg_a0", "volo_d1_224", "twins_svt_small", "pit_ti_224", "tnt_s_patch16_224", "beit_base_patch16_224",
    "crossvit_9_240", "visformer_tiny", "focalnet_tiny_srf", "inception_next_atto", "fastvit_t8",
    "efficientformer_l1", "davit_tiny", "pvt_v2_b0", "convmixer_768_32", "mobilenetv4_conv_small", "sequencer2d_s",
    "res2net50_14w_8s", "ese_vovnet19b_slim", "starnet_s050", "mambaout_femto", "eva02_tiny_patch14_224",
    "repvit_m0_9", "tiny_vit_5m_224", "caformer_s18", "convit_tiny", "seresnet18", "halonet_h1", "lambda_resnet26t",
    "botnet26t_256", "skresnet18", "maxvit_rmlp_pico_rw_256", "coatnet_pico_rw_224",
)  # fmt: skip


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
    side = next((size for part, size in IMAGES.items() if name.startswith(part)), SIDE)
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


def transformer(name: str) -> tuple[Any, ...]:
    """A model whose `forward` takes tensors and gives one, and its inputs: three examples, two of them padded."""
    import torch

    class Reads(torch.nn.Module):
        def __init__(self, model, names, field):
            super().__init__()
            self.model, self.names, self.field = model, names, field

        def forward(self, *inputs):
            return getattr(self.model(**dict(zip(self.names, inputs))), self.field)

    torchvision()
    torch.manual_seed(0)
    where, base, own, fed, field = TRANSFORMERS[name]
    family, *file, cls = where.split(".")
    module = importlib.import_module(f"transformers.models.{family}.{file[0] if file else f'modeling_{family}'}")
    made, options = getattr(module, cls), {**_TRANSFORMERS["bases"].get(base, {}), **own}
    ids = torch.randint(3, 60, (3, 7))
    inputs = {
        "input_ids": ids, "attention_mask": (torch.arange(7) < torch.tensor([[7], [5], [3]])).long(),
        "decoder_input_ids": ids[:, :5], "pixel_values": torch.randn(3, 3, 32, 32),
        "input_values": torch.randn(3, 400), "input_features": torch.randn(3, 8, 32),
    }  # fmt: skip
    given = {}
    for part in fed.split():  # a name, and the shape of an example where it is another
        key, _, shape = part.partition("@")
        given[key] = torch.randn(3, *map(int, shape.split(","))) if shape else inputs[key]
    return Reads(made(made.config_class(**options)), tuple(given), field).eval(), *given.values()


def timm_model(name: str, **options: Any) -> tuple[Any, ...]:
    import torch

    torchvision()
    import timm

    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **options).eval()
    fixed = model.default_cfg.get("fixed_input_size") and "img_size" not in options
    return model, torch.randn(2, *(model.default_cfg["input_size"] if fixed else (3, 64, 64)))
