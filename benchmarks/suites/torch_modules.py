"""PyTorch's own database of modules, with batched inputs, up to 24 cases of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing._internal.common_modules import module_db

from compose import port
from suites import Case, NoModel
from suites.torch_calls import Draws, Method, described, no_batch

torch.set_num_threads(1)

MOST = 24  # cases of a module


def cases() -> Iterator[Case]:
    for info in module_db:
        cls = info.module_cls
        if "quantized" in cls.__module__ or "Lazy" in cls.__name__:
            continue
        seen: set[str] = set()  # of the arguments and shapes
        for training in (False, True):
            torch.manual_seed(0)
            made = info.module_inputs_func(
                info, device="cpu", dtype=torch.float64, requires_grad=False, training=training
            )
            for given in made:
                key = described(given)
                if given.forward_input is None or len(seen) == MOST or key in seen or no_batch(given.desc):
                    continue
                seen.add(key)
                yield Case(f"{info.name.removeprefix('nn.')}/{len(seen)}", _porter(cls, given, training))


def _porter(cls: Any, given: Any, training: bool) -> Any:
    def ported() -> Any:
        torch.manual_seed(1)
        args, named = given.constructor_input.args, given.constructor_input.kwargs
        call = given.forward_input
        try:
            model = cls(*args, **named).double().train(training)
            model, tensors = Method.of(model, call.args, call.kwargs)
            with torch.no_grad(), Draws() as draws:
                model.eval()(*(t.clone() for t in tensors))
        except Exception as e:
            raise NoModel(f"{type(e).__name__}: {e}") from e
        if draws.found:
            raise NoModel("random")
        return port.from_torch(model.train(training), *tensors)

    return ported
