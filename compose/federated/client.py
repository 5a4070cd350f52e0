"""A Flower client that trains a network on data that stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from compose.core.errors import ConfigError
from compose.core.layer import Layer
from compose.core.run import arguments
from compose.federated.arrays import from_arrays, to_arrays
from compose.federated.flower import flower
from compose.train.examples import arrays
from compose.train.fit import fit
from compose.train.named import pair

MEASURED = ("loss", "metrics", "loss_weights", "ignore_label", "logits")
NOT_HERE = ("validation", "checkpoint", "start", "inputs", "callbacks")


def client(
    net: Layer,
    data: Callable[[Any], Any],
    validation: Callable[[Any], Any] | None = None,
    *,
    seed: int = 0,
    mods: Sequence[Any] = (),
    **options: Any,
) -> Any:
    """A Flower `ClientApp` that trains `net` on a client's own examples.

    In each round it gets the averaged parameters, trains on from there with an optimizer that starts anew, and answers
    with its parameters and state, the number of its examples and its scores; nothing else leaves it. What the server
    sends is checked against the network before it is used, and of the server's configuration only the number of the
    round counts, for the seed: not the epochs, not the loss. Programs compile once for all rounds.

    Args:
        net: the network.
        data: `data(context)`, the client's examples, a pair (x, y) or a data set. Flower's context says which client:
            `context.node_config["partition-id"]` of `["num-partitions"]` in a simulation, what `--node-config` gave a
            SuperNode otherwise.
        validation: `validation(context)`, examples to measure on when the server asks. Without it the client does not
            answer then; the strategy says so by `fraction_evaluate=0`.
        seed: each client and round has a seed of its own made from it.
        mods: Flower's modifiers, such as `LocalDpMod`, which clips what is sent and adds noise.
        options: those of `compose.fit`: loss, metrics, optimizer, epochs, ...

    Raises `ConfigError` without Flower, and for options that have no meaning here. Errors of a round are those of
    `from_arrays` and `fit`; Flower reports them to the server as a client that failed.
    """
    app, clientapp = flower()
    for name in NOT_HERE:
        if name in options:
            raise ConfigError(f"no {name} for a client, whose trainings last a round", repr(options[name])[:80])
    if "loss" not in options:
        raise ConfigError("a loss", "none")
    options = {"verbose": False, **options}
    made = clientapp.ClientApp(mods=list(mods))

    def reply(message: Any, count: int, scores: dict[str, float], **records: Any) -> Any:
        metrics = app.MetricRecord({"num-examples": count, **scores})
        return app.Message(app.RecordDict({**records, "metrics": metrics}), reply_to=message)

    @made.train()
    def train(message: Any, context: Any) -> Any:
        x, y, count = _examples(data(context))
        start = from_arrays(message.content["arrays"], net, *arguments(x))
        trained = fit(net, x, y, start=start, seed=_seed(seed, message, context), **options)
        scores = {name: value for name, value in trained.history[-1].items() if name not in ("epoch", "seconds")}
        return reply(message, count, scores, arrays=to_arrays(trained.params, trained.state))

    if validation is not None:
        measured = {
            k: options[k] for k in ("loss", "metrics", "loss_weights", "ignore_label", "logits") if k in options
        }

        @made.evaluate()
        def evaluate(message: Any, context: Any) -> Any:
            x, y, count = _examples(validation(context))
            scores = from_arrays(message.content["arrays"], net, *arguments(x)).evaluate(x, y, **measured)
            return reply(message, count, {name: float(value) for name, value in scores.items()})

    return made


def _examples(found: Any) -> tuple[Any, Any, int]:
    """Inputs, targets and how many there are, of a data set or a pair. Raises `ConfigError` for neither."""
    x, y = found if isinstance(found, (tuple, list)) and len(found) == 2 else pair(found, None)
    if y is None:
        raise ConfigError("data(context) to return a pair (x, y), or a data set", type(found).__name__)
    x = arrays(x, "x")
    return x, y, len(jax.tree.leaves(x)[0])


def _seed(seed: int, message: Any, context: Any) -> int:
    """A seed for this client and round."""
    config = message.content.config_records.get("config", {})
    number, client = config.get("server-round", 0), context.node_config.get("partition-id", context.node_id)
    return int(np.random.SeedSequence([seed, int(number), int(client)]).generate_state(1)[0] >> 1)
