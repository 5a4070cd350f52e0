"""What a training on eight devices of a CPU comes to, beside one on a single device. Run as a program by tests.

Prints a JSON object for each case named on the command line: the largest difference from one device, of parameters,
state, history and predictions; what is compiled after the first epoch; and bytes and FLOPs of each device, as shares of
those of one device.
"""

import functools
import json
import sys
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import optax

import compose as c
from compose.train.distribution import ONE_DEVICE
from compose.train.distribution_of import distribution_of
from compose.train.examples import examples
from compose.train.optimizers import split
from compose.train.scoring import Scoring
from compose.train.train_step import Carry, training_steps
from tests.train.compilations import compilations

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 40)

NETWORKS = {
    "mlp": (c.compose_seq(c.fc(64, c.relu), c.batch_norm(), c.dropout(0.2), c.fc(64, c.relu), c.fc(4)), (40, 48)),
    "cnn": (
        c.compose_seq(
            c.conv(16, 3, c.relu), c.batch_norm(), c.max_pool(2), c.depthwise_conv(3), c.conv(16, 3, c.relu), c.flatten,
            c.fc(4),
        ),
        (40, 8, 8, 16),
    ),
    "recurrent": (c.compose_seq(c.lstm(32), c.gru(32, output="last"), c.fc(4)), (40, 5, 32)),
    "transformer": (
        c.compose_seq(
            c.embedding(64, 32), c.learned_positions(6), c.repeat(2, c.encoder_block(8, 64, dropout=0.1)),
            c.global_avg_pool, c.fc(4),
        ),
        None,
    ),
}  # fmt: skip


def inputs(name):
    shape = NETWORKS[name][1]
    return RNG.integers(0, 64, (40, 6)) if shape is None else RNG.standard_normal(shape)


GRID = {"data": 4, "model": 2}
LAYOUTS = {
    "replicated": dict(devices=8),
    "fsdp": dict(devices=8, sharding="fsdp"),
    "tensor": dict(devices=GRID, sharding="tensor"),
    "rules": dict(devices=GRID, sharding={"fc_0/kernel": ("data", "model"), "**": ()}),
}
OPTIONS = {
    "half": dict(precision="bfloat16"),
    "regime": dict(accumulate=2, ema=0.9, clip=1.0, l2=1e-3, freeze="fc_0/**", optimizer="adamw"),
    "weights": dict(class_weight="balanced", sample_weight=np.linspace(0.1, 1, 40)),
    "streamed": dict(memory=4000),
}


def fit(name, x, **options):
    given = dict(loss="cross_entropy", metrics="accuracy", epochs=2, batch_size=16, verbose=False) | options
    return NETWORKS[name][0].fit(x, LABELS, validation=(x[:10], LABELS[:10]), **given)


def gap(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(np.abs(np.asarray(p, np.float64) - np.asarray(q, np.float64)).max(initial=0)) for p, q in pairs)


def compared(name, layout, options):
    x = inputs(name)
    one, after_each_epoch = fit(name, x, **options), []
    with compilations() as found:
        count = lambda event: after_each_epoch.append(len(found))
        many = fit(name, x, **options, **layout, callbacks=[count])
    rows = lambda trained: [{k: v for k, v in row.items() if k != "seconds"} for row in trained.history]
    different = gap((one.params, one.state, rows(one)), (many.params, many.state, rows(many)))
    again = gap(one.fit(x, LABELS, epochs=1, verbose=False).params, many.fit(x, LABELS, epochs=1, verbose=False).params)
    kept = jax.tree.leaves((many.params, many.session.optimizer_state))
    return {
        "different": max(different, again, gap(one.predict(x[:7]), many.predict(x[:7]))),
        "bytes": sum(a.addressable_data(0).nbytes for a in kept) / sum(a.nbytes for a in kept),
        "compiled_again": after_each_epoch[-1] - after_each_epoch[0],
        "on": max(len(a.sharding.device_set) for a in kept),
        **costs(name, x, layout),
    }


def costs(name, x, layout):
    """FLOPs of a compiled step on each device, in an even batch and a ragged one, over those of one device."""
    net = NETWORKS[name][0]
    params, state = net.init(0, x[:1])
    training, fixed = split(net, params)
    optimizer, scores = optax.adam(1e-3), Scoring(net, examples(x, LABELS), "cross_entropy").scores
    carry = Carry(training, optimizer.init(training), state, jnp.int32(0))

    def flops(where, size):
        put, begin = where.whole, where.place(params, carry)
        arrays = put((x, LABELS))
        run = training_steps(net, scores, optimizer, None, None, where)
        sums, constants = scores.start(40), (fixed, put(jax.random.key(0)))
        lowered = run.lower(begin, sums, constants, arrays, put(jnp.arange(40)), 0, 0, 1, size=size)
        return lowered.compile().cost_analysis()["flops"]

    where = distribution_of(layout.get("devices"), layout.get("mesh"), layout.get("sharding"))
    return {kind: flops(where, size) / flops(ONE_DEVICE, size) for kind, size in (("even", 16), ("ragged", 12))}


def a_stream():
    """Batches of 12 and 4, and 4 epochs of which a checkpoint cuts the second."""
    x = inputs("mlp")
    batches = lambda: iter([(x[i : i + 12], LABELS[i : i + 12]) for i in range(0, 40, 12)])
    net, options = NETWORKS["mlp"][0], dict(loss="cross_entropy", epochs=2, verbose=False)
    one, many = net.fit(batches, **options), net.fit(batches, **options, devices=8, sharding="fsdp")
    with tempfile.TemporaryDirectory() as folder:
        fit("mlp", x, devices=8, sharding="fsdp", epochs=1, checkpoint=folder)
        resumed = fit("mlp", x, devices=GRID, sharding="tensor", epochs=2, checkpoint=folder)
        whole = fit("mlp", x, epochs=2)
        many.save(f"{folder}/model.safetensors", optimizer=True)
        loaded = c.load(f"{folder}/model.safetensors")
    return {
        "different": max(
            gap(one.params, many.params), gap(resumed.params, whole.params), gap(loaded.params, many.params)
        )
    }


def a_table():
    """The gradient of a table that grids have copies of, from batches that they do not divide."""
    ids = RNG.integers(1, 64, (8, 6))
    net = c.compose_seq(c.embedding(64, 32), c.global_avg_pool, c.fc(4))
    train = functools.partial(net.fit, ids, LABELS[:8], loss="cross_entropy", batch_size=5, verbose=False)
    layouts = [dict(devices=GRID), dict(devices=GRID, sharding="fsdp"), LAYOUTS["tensor"]]
    one, *others = (train(optimizer="sgd", **layout).params for layout in ({}, *layouts))
    return {"different": max(gap(one, other) for other in others)}


def main(cases):
    jax.config.update("jax_num_cpu_devices", 8)
    jax.config.update("jax_enable_x64", True)
    LAYOUTS["mesh"] = dict(mesh=jax.make_mesh((8,), ("batch",)))  # its axes are explicit
    for case in cases:
        network, layout, option = (*case.split("/"), "", "")[:3]
        other = {"stream": a_stream, "table": a_table}.get(case)
        found = other() if other else compared(network, LAYOUTS[layout], OPTIONS.get(option, {}))
        print(json.dumps({"case": case, **found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
