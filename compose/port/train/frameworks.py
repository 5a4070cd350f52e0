"""Find out which framework an optimizer, schedule or loss comes from, without importing any."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError

_ROOTS = {
    "torch": ("torch.optim", "torch.nn.modules.loss"),
    "keras": ("keras.",),
    "tf1": ("tensorflow.python.training", "tensorflow.python.keras"),
}


def source_of(thing: Any, role: str) -> tuple[str, str]:
    """`("torch" | "keras" | "tf1", class name)`. Raises `ConfigError` for a custom class, which has no known rule."""
    kind = type(thing)
    for framework, roots in _ROOTS.items():
        if kind.__module__.startswith(roots):
            return framework, kind.__name__
    bases = [base.__name__ for base in kind.__mro__[1:] if base.__module__.startswith(sum(_ROOTS.values(), ()))]
    raise ConfigError(
        f"{'an' if role[0] in 'aeiou' else 'a'} {role} of torch or Keras itself",
        f"{thing!r}" if isinstance(thing, type) else f"a {kind.__module__}.{kind.__qualname__}",
        f"a subclass may change {bases[0]}: write it in JAX" if bases else f"pass the {role} object",
    )


def numbers(value: Any) -> Any:
    """Convert one-element tensors to Python numbers, also in tuples."""
    if isinstance(value, (tuple, list)):
        return tuple(numbers(part) for part in value)
    return value.item() if hasattr(value, "item") else value
