"""`generate`: continue prompts with a language model."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from compose.core.errors import ConfigError, ShapeError, shape_text
from compose.core.layer import Layer, walk
from compose.core.plan import plan
from compose.core.run import apply, check_params
from compose.layers.attention.decoding import decoding
from compose.layers.position import learned_positions
from compose.train.generation.prompts import ids_spec, prompts
from compose.train.generation.sampling import Sampling
from compose.train.limits import check_limits, limits_of


def generate(
    net: Layer,
    params: dict[str, Any],
    state: dict[str, Any],
    prompt: Any,
    *,
    steps: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Continue prompts with a causal language model, one token at a time.

    Keys and values of earlier tokens are kept (see `decoding`), so a step costs one token. The steps are one compiled
    loop. It is compiled once for a batch size and, rounded up to powers of two, a length; other numbers of steps,
    prompts and seeds reuse it. Elsewhere: Hugging Face `model.generate(use_cache=True)`.

    Args:
        net: a network from ids `(batch, time)` to logits `(batch, time, vocabulary)`, with causal attention.
        params, state: its parameters and state: of a `Trained`, or of a port.
        prompt: ids `(time,)` or `(batch, time)`, or a list of sequences of several lengths, which need no padding.
        steps: how many tokens to add to each.
        temperature: 0 takes the most likely token; otherwise tokens are drawn from `softmax(logits / temperature)`.
        top_k: draw from the k most likely tokens.
        top_p: draw from the most likely tokens that have this probability together.
        stop: a token that ends a sequence; the rest of it is filled with this token.
        seed: seed for drawing.

    Returns: the new tokens `(batch, steps)`, or `(steps,)` for a single prompt.

    Raises `ConfigError` for a network without causal attention, or for more tokens than its learned positions;
    `DataError` and `LayerError` for prompts that do not fit it.

    >>> import numpy as np
    >>> from compose import compose_seq, embedding, encoder_block, fc, generate, learned_positions
    >>> net = compose_seq(embedding(5, 8), learned_positions(16), encoder_block(2, 16, causal=True), fc(5))
    >>> params, state = net.init(0, np.zeros((1, 3), np.int32))
    >>> generate(net, params, state, [[1, 2, 3], [4]], steps=4).shape
    (2, 4)
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ConfigError("steps to be an integer of at least 1", repr(steps))
    ids, lengths, alone = prompts(prompt)
    total = int(lengths.max()) + int(steps)
    _check(net, params, state, ids, total)
    capacity = _power_of_two(total)
    how = Sampling(temperature, top_k, top_p)
    room = np.full((len(ids), capacity), 0 if stop is None else stop, np.int32)
    for row, values, length in zip(room, ids, lengths):
        row[:length] = values[:length]
    common = 2 ** (int(lengths.min()).bit_length() - 1)  # read at once; the rest of each prompt follows token by token
    run = _compiled(net, capacity, how, stop)
    out = np.asarray(run(params, state, room, lengths, lengths + steps, jax.random.key(seed), common=common))
    new = np.stack([row[length : length + steps] for row, length in zip(out, lengths)])
    return new[0] if alone else new


def _check(net: Layer, params: Any, state: Any, ids: np.ndarray, total: int) -> None:
    spec = ids_spec(1, 1)
    planned = plan(net, spec)
    check_params(net, planned, params, state)
    if not hasattr(planned.out, "ndim") or planned.out.ndim != 3:
        raise ShapeError("logits (batch, time, vocabulary) for each step", shape_text(planned.out)).locate(net)
    check_limits(limits_of(net, spec), ids)
    for path, layer in walk(net):
        if isinstance(layer, learned_positions) and total > layer.count:
            hint = "shorten the prompt, or generate fewer steps"
            raise ConfigError(f"at most {layer.count} tokens", f"{total}, prompt and new", hint).locate(
                layer, path=path
            )


def _power_of_two(n: int) -> int:
    return 2 ** (n - 1).bit_length()


@functools.lru_cache(maxsize=32)
def _compiled(net: Layer, capacity: int, how: Sampling, stop: int | None):
    """The loop over tokens, for a network and the length of its caches."""
    decoder = decoding(net, capacity)

    @functools.partial(jax.jit, static_argnames="common")
    def run(params, state, room, lengths, ends, key, common: int):
        wanted = plan(decoder, ids_spec(room.shape[0], 1)).state_specs()
        logits, state = apply(decoder, params, _with_caches(wanted, state), room[:, :common])

        def goes_on(carry):
            at, _, _, _, done = carry
            return (at < ends.max()) & ~done.all()

        def step(carry):
            at, room, state, logits, done = carry
            drawn = how.pick(logits, jax.random.fold_in(key, at))
            kept = lax.dynamic_index_in_dim(room, at, 1, keepdims=False)  # the prompt, or what ends a sequence
            reading = at < lengths
            token = jnp.where(reading | done, kept, drawn)
            room = lax.dynamic_update_index_in_dim(room, token, at, 1)
            done = done | (at + 1 >= ends)
            if stop is not None:
                done = done | (~reading & (token == stop))
            logits, state = apply(decoder, params, state, token[:, None])
            return at + 1, room, state, logits[:, -1], done

        start = jnp.int32(common), room, state, logits[:, -1], jnp.zeros(room.shape[0], bool)
        return lax.while_loop(goes_on, step, start)[1]

    return run


def _with_caches(wanted: Any, state: Any) -> Any:
    """The state with empty caches where the decoder keeps some."""
    if isinstance(wanted, dict):
        return {key: _with_caches(value, state.get(key, {})) for key, value in wanted.items()}
    return state if not isinstance(state, dict) else jnp.zeros(wanted.shape, wanted.dtype)
