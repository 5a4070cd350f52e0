"""Models of other frameworks as one readable expression with its weights, and the proof that both are equal."""

_WHERE = {
    "optimizer": "train.optimizers",
    "clip_grad_norm": "train.optimizers",
    "schedule": "train.schedules",
    "loss": "train.losses",
    "from_torch": "frontends.torch",
    "from_keras": "frontends.keras",
    "from_tf": "frontends.tensorflow",
    "from_onnx": "frontends.onnx",
    "from_flax": "frontends.flax",
    "from_jax": "frontends.jax",
    "rule": "lowering.registry",
    "Ported": "ported",
    "load": "ported",
    "from_pretrained": "pretrained",
}


def __getattr__(name: str):
    import importlib

    if name in _WHERE:
        return getattr(importlib.import_module(f"compose.port.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'compose.port' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_WHERE)
