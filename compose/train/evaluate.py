"""Evaluate a network: loss and metrics on examples."""

from __future__ import annotations

from typing import Any

from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.precision import compute_dtype
from compose.core.run import check_params
from compose.distributed.exchange import local
from compose.train.batches import Batches
from compose.train.custom import is_custom
from compose.train.examples import examples
from compose.train.scoring_of import scoring_of


def evaluate(
    net: Layer, params, state, x, y, *, loss: Any, metrics: Any, batch_size: int, precision: Any = None,
    sample_weight: Any = None, logits: bool | None = None, ignore_label: int | None = None, loss_weights: Any = None,
    inputs: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """See `Trained.evaluate`."""
    data = examples(x, y, sample_weight)
    inputs = inputs if is_custom(loss) else data.specs(1)
    check_params(net, plan(net, inputs), params, state)
    scoring = scoring_of(
        net, inputs, data, loss, metrics, compute_dtype(precision),
        logits=logits, ignore_label=ignore_label, loss_weights=loss_weights,
    )  # fmt: skip
    scoring.check(data)
    params, state = local((params, state))
    scoring.check_end(data, params, state)
    return scoring.measure(params, state, Batches(data, min(batch_size, data.count), 2 << 30))
