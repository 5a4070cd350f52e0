"""Models of other frameworks as one readable expression with its weights, and the proof that both are equal."""

_WHERE = {
    "optimizer": "optimizers", "clip_grad_norm": "optimizers", "schedule": "schedules", "loss": "losses",
    "from_torch": "torch", "from_keras": "keras", "from_tf": "tensorflow", "from_onnx": "onnx", "from_flax": "flax",
    "rule": "rules", "Ported": "ported", "load": "reading",
}  # fmt: skip


def __getattr__(name: str):
    import importlib

    if name in _WHERE:
        return getattr(importlib.import_module(f"compose.port.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'compose.port' has no attribute {name!r}")
