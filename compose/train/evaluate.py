"""Evaluate a network: loss and metrics on examples."""

from __future__ import annotations

from typing import Any

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.plan import plan
from compose.core.precision import compute_dtype
from compose.core.run import check_params
from compose.distributed.exchange import local
from compose.train.batches import Batches
from compose.train.custom import is_custom
from compose.train.examples import examples
from compose.train.foreign import is_rows
from compose.train.progress import counted
from compose.train.scoring_of import scoring_of
from compose.train.stream import Rows, Stream, is_stream


def evaluate(
    net: Layer, params, state, x, y, *, loss: Any, metrics: Any, batch_size: int, precision: Any = None,
    sample_weight: Any = None, logits: bool | None = None, ignore_label: int | None = None, loss_weights: Any = None,
    inputs: Any = None, verbose: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """See `Trained.evaluate`."""
    custom, streamed = is_custom(loss), is_stream(x) or is_rows(x)
    if streamed and (y is not None or sample_weight is not None):
        raise ConfigError("y and sample_weight in the batches of a stream", "them beside it", "evaluate(data)")
    source = Rows(x, batch_size) if is_rows(x) else x
    tried = None if custom else net
    data: Any = Stream(source, whole=custom, net=tried) if streamed else examples(x, y, sample_weight, tried)
    inputs = inputs if custom else data.specs(1)
    check_params(net, plan(net, inputs), params, state)
    scoring = scoring_of(
        net, inputs, data, loss, metrics, compute_dtype(precision),
        logits=logits, ignore_label=ignore_label, loss_weights=loss_weights,
    )  # fmt: skip
    if streamed:
        data.check = scoring.check
    scoring.check(data)
    params, state = local((params, state))
    scoring.check_end(data, params, state)
    batches = data if streamed else Batches(data, min(batch_size, data.count), 2 << 30)
    with counted(verbose, data.count) as advance:
        return scoring.measure(params, state, batches, advance=advance)
