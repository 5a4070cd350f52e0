"""Examples and options that cannot be trained on: what is said."""

from __future__ import annotations

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.sparse

from compose import compose_seq, conv, fc, flatten, relu, remat, sigmoid, softmax
from compose.core.errors import ConfigError, DataError, DtypeError, LayerError, ParamsError, ShapeError
from compose.train import fit

NET = compose_seq(fc(8, relu), fc(3, softmax))
X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
Y = np.arange(20) % 3


def said(error, net=NET, x=X, y=Y, **options) -> str:
    with pytest.raises(error) as caught:
        fit(net, x, y, **{"loss": "cross_entropy", "batch_size": 10, "verbose": False, **options})
    return str(caught.value)


def with_value(value) -> np.ndarray:
    x = X.copy()
    x[7, 2] = value
    return x


DATA = {
    "lengths that differ": (dict(y=Y[:-1]), "x and y must have the same number of examples: x has 20, y has 19"),
    "lengths of several inputs": (dict(x=(X, X[:3])), "x[0] has 20, x[1] has 3, y has 20"),
    "no examples": (dict(x=X[:0], y=Y[:0]), "there are no examples: x and y are empty"),
    "one number": (dict(x=3.0), "x must be an array with examples along the first axis; got array(3.)"),
    "words in a list": (dict(y=["a", "b"] * 10), "y must hold numbers; got text such as 'a'"),
    "objects": (dict(y=np.array([None] * 20)), "y must hold numbers; got object"),
    "complex numbers": (dict(x=X + 1j), "x must hold real numbers; got complex"),
    "a sparse matrix": (dict(x=scipy.sparse.csr_matrix(X)), "x is a sparse matrix; x.toarray() makes it an array"),
    "words": (
        dict(y=np.array(["a"] * 20)),
        "y must hold numbers; got text such as 'a'; names, y = np.unique(y, return_inverse=True) numbers it",
    ),
    "a ragged list": (
        dict(x=[[1.0], [1.0, 2.0]]),
        "x must be an array, but its rows have 1 to 2 values; data.pad_sequences(...) pads them",
    ),
    "a list of inputs": (
        dict(x=[X, X]),
        "x has 2, y has 20; x is a list of arrays, which are its examples: give several as",
    ),
    "a list of targets": (dict(y=[Y, Y[:, None]]), "y is a list of 2 arrays; give several as a tuple"),
    "a list of batches": (
        dict(x=[(X, Y)], y=None),
        "got a list of 1 tuples of arrays. If they are batches, give a function",
    ),
    "a list of examples": (dict(x=list(zip(X, Y)), y=None), "x, y = map(np.stack, zip(*examples)) makes arrays"),
    "a list of pairs of one shape": (dict(x=[(X, X)], y=None), "got a list of 1 tuples of arrays"),
    "a list ragged within": (dict(x=[[[1.0], [1.0, 2.0]]] * 2), "x must be an array, or a tuple of arrays: setting"),
    "numbers as words": (dict(x=X.astype(str)), "; x.astype('float32') reads it"),
    "a masked array": (dict(x=np.ma.array(X, mask=X > 1)), "x is a masked array; x.filled(value) gives what is masked"),
    "nan": (dict(x=with_value(np.nan)), "x has nan at [7, 2]; drop these examples or fill in the values"),
    "infinity": (dict(x=with_value(-np.inf)), "x has -inf at [7, 2]; drop"),
    "nan on the device": (dict(x=jnp.asarray(with_value(np.nan))), "x has nan at [7, 2]; drop"),
    "several": (dict(x=np.full_like(X, np.nan)), "x has nan at [0, 0], the first of 100; drop"),
    "nan in the targets": (
        dict(net=fc(1), loss="mse", y=np.full((20, 1), np.nan, np.float32)),
        "y has nan at [0, 0], the first of 20",
    ),
    "a large integer": (dict(y=Y + 2**40), "y ranges from 1099511627776 to 1099511627778, which does not fit in int32"),
    "a label out of range": (
        dict(y=np.where(Y == 2, 3, Y)),
        "labels must be between 0 and 2, one for each output; they range from 0 to 3",
    ),
    "a negative label": (dict(y=Y - 1), "labels must be between 0 and 2, one for each output; they range from -1 to 1"),
    "labels that are not integers": (
        dict(y=Y.astype(np.float32)),
        "labels must be integers; got float32 (use y.astype(int) if they are integral)",
    ),
    "labels in a column": (
        dict(y=Y[:, None]),
        "targets must be labels (n,) or one-hot (n, 3) for cross_entropy; got (n, 1); y[:, 0] removes the axis",
    ),
    "one-hot of another width": (
        dict(y=np.eye(4, dtype=np.float32)[Y]),
        "or one-hot (n, 3) for cross_entropy; got (n, 4)",
    ),
    "validation of all": (
        dict(validation=1.0),
        "validation must be a fraction between 0 and 1, or a pair (x, y); got 1.0",
    ),
    "validation of nothing": (
        dict(validation=0.99),
        "validation=0.99 of 20 examples leaves one of the two parts empty",
    ),
    "validation without targets": (
        dict(validation=(X,)),
        "validation must be a fraction between 0 and 1, or a pair (x, y); got ((20, 5))",
    ),
    "bad validation data": (
        dict(validation=(X, Y + 1)),
        "labels must be between 0 and 2, one for each output; they range from 1 to 3",
    ),
    "a vector against a column": (
        dict(net=fc(1), loss="mse", y=X[:, 0]),
        "targets must have the shape of the outputs, (n, 1), for mse; got (n,) (y[:, None] adds the axis)",
    ),
    "the same with a function": (
        dict(net=fc(1), loss=lambda a, b: (a - b) ** 2, y=X[:, 0]),
        "targets must have the shape of the outputs, (n, 1), for <lambda>; got (n,)",
    ),
    "a column against a vector": (
        dict(net=compose_seq(fc(1), lambda x: x[:, 0]), loss="mae", y=X[:, :1]),
        "targets must have the shape of the outputs, (n,), for mae; got (n, 1) (y[:, 0])",
    ),
    "binary targets beyond 1": (
        dict(net=fc(1, sigmoid), loss="binary_cross_entropy", y=Y[:, None]),
        "targets for binary_cross_entropy must be between 0 and 1; they range from 0 to 2",
    ),
}


@pytest.mark.parametrize("options, text", DATA.values(), ids=DATA)
def test_data_that_cannot_be_trained_on(options, text):
    assert text in said(DataError, **options)


def of(module: str, name: str) -> type:
    """A class that another library seems to have."""
    return type(name, (), {"__module__": module, "__call__": lambda self, *arrays: None})


OPTIONS = {
    "epochs": (dict(epochs=0), "expected epochs to be an integer of at least 1, got 0"),
    "batch_size": (dict(batch_size=2.5), "expected batch_size to be an integer of at least 1, got 2.5"),
    "seed": (dict(seed=-1), "expected seed to be an integer of at least 0, got -1"),
    "loss": (dict(loss="crossentropy"), "fix      did you mean cross_entropy"),
    "Keras's loss": (dict(loss="sparse_categorical_crossentropy"), "did you mean cross_entropy?"),
    "another of Keras": (dict(loss="mean_squared_error"), "did you mean mse?"),
    "initials": (dict(loss="BCE"), "did you mean binary_cross_entropy?"),
    "torch's name": (dict(loss="MSELoss"), "did you mean mse?"),
    "nothing": (dict(loss=None), "function of (predictions, targets), got None"),
    "a loss of another library": (
        dict(loss=of("torch.nn", "CrossEntropyLoss")()),
        "fix      did you mean cross_entropy?",
    ),
    "a metric of another library": (dict(metrics=[of("sklearn.metrics", "f1_score")]), "did you mean f1?"),
    "an optimizer of another library": (dict(optimizer=of("keras.optimizers", "Adam")()), "did you mean adam?"),
    "capitals": (dict(optimizer="RMSprop"), "did you mean rmsprop?"),
    "a beginning": (dict(metrics="acc"), "did you mean accuracy"),
    "metric": (dict(metrics="acuracy"), "did you mean accuracy"),
    "the same metric twice": (dict(metrics=("accuracy", "accuracy")), "expected metrics whose names differ"),
    "optimizer": (dict(optimizer="rms_prop"), "did you mean rmsprop"),
    "optimizer not called": (dict(optimizer=optax.adam), "call it with its learning rate, as in optax.adam(1e-3)"),
    "two learning rates": (
        dict(optimizer=optax.adam(1e-3), learning_rate=0.1),
        "expected learning_rate only with an optimizer given by name, got 0.1",
    ),
    "negative learning rate": (dict(learning_rate=-1.0), "expected a learning_rate above 0, or a schedule, got -1.0"),
    "a learning rate in words": (
        dict(learning_rate="fast"),
        "expected a learning_rate above 0, or a schedule, got 'fast'",
    ),
    "freeze": (dict(freeze=5), "expected freeze to be patterns of paths"),
    "a name as callbacks": (dict(callbacks="early_stopping"), "callbacks that are functions of an event"),
    "no targets": (dict(y=None), "expected targets for the loss cross_entropy, got none: y is None"),
    "several outputs by name": (
        dict(y=(Y, Y)),
        "expected one output and one array of targets for cross_entropy",
    ),
    "one class": (dict(net=fc(1), y=Y * 0), "for a single probability, use binary_cross_entropy"),
    "a sigmoid for classes": (
        dict(net=fc(3, sigmoid)),
        "expected a network that ends in softmax over the last axis, or in logits, for this loss, got a final sigmoid",
    ),
    "a softmax for elements": (
        dict(loss="binary_cross_entropy", y=np.eye(3)[Y].astype(np.float32)),
        "expected a network that ends in sigmoid, or in logits, for this loss, got a final softmax",
    ),
    "softmax over the batch": (
        dict(net=compose_seq(fc(3), softmax(axis=0))),
        "got a final softmax(axis=0)",
    ),
    "a custom softmax": (
        dict(net=compose_seq(fc(3), lambda x: jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True))),
        "expected logits, or softmax as the very last layer, got outputs that are already probabilities",
    ),
    "a softmax inside remat": (dict(net=remat(fc(3, softmax))), "got outputs that are already probabilities"),
}


@pytest.mark.parametrize("options, text", OPTIONS.values(), ids=OPTIONS)
def test_options_that_mean_nothing(options, text):
    assert text in said(ConfigError, **options)


def test_fewer_examples_than_a_batch_train_together():
    few, all_at_once = (fit(NET, X, Y, loss="cross_entropy", batch_size=b, verbose=False) for b in (64, 20))
    np.testing.assert_array_equal(few.params["fc_0"]["kernel"], all_at_once.params["fc_0"]["kernel"])


def test_integers_are_images_only_if_they_look_like_it():
    assert "fix      scale the data first" in said(DtypeError, x=(X * 0).astype(np.uint8))
    text = said(DtypeError, x=(9 * X).astype(np.int32))
    assert "fix      use x.astype('float32')" in text and "images" not in text


def test_layers_in_a_list_are_unpacked():
    with pytest.raises(ConfigError) as caught:
        compose_seq([fc(3), fc(2)])
    assert "give each as an argument of its own" in str(caught.value)


def test_a_batch_of_nothing_is_refused_everywhere():
    trained = fit(NET, X, Y, loss="cross_entropy", verbose=False)
    for use in (lambda: trained.predict(X, batch_size=0), lambda: trained.evaluate(X, Y, batch_size=0)):
        with pytest.raises(ConfigError, match="batch_size to be an integer of at least 1, got 0"):
            use()


def test_one_callback_needs_no_list():
    seen = []
    fit(NET, X, Y, loss="cross_entropy", verbose=False, callbacks=lambda event: seen.append(event.epoch))
    assert seen == [1]


def test_fewer_batches_than_are_accumulated_are_warned_of():
    with pytest.warns(UserWarning, match="nothing is learned: accumulate=9 is more than the 4 batches there are"):
        fit(NET, X, Y, loss="cross_entropy", batch_size=10, epochs=2, accumulate=9, verbose=False)


def test_it_starts_from_what_has_parameters_and_state():
    params, state = NET.init(3, X)
    port = SimpleNamespace(params=params, state=state)
    options = dict(loss="cross_entropy", verbose=False)
    a, b = (fit(NET, X, Y, start=start, **options) for start in (port, (params, state)))
    np.testing.assert_array_equal(a.params["fc_0"]["kernel"], b.params["fc_0"]["kernel"])
    new = said(ParamsError, net=compose_seq(NET[0], fc(4)), start=(params, state))
    assert "start with its own parameters: {**params, 'fc_1': net.init(0, x)[0]['fc_1']}" in new
    assert "expected start to be a Trained, a port, or a pair (params, state), got str" in said(ConfigError, start="m")


def test_images_without_a_channel_axis_are_warned_of():
    net = compose_seq(conv(2, 3), flatten, fc(3))
    images = np.zeros((20, 8, 8), np.float32)
    with pytest.warns(UserWarning, match=r"conv\(2, 3\) convolves \(n, 8, 8\) along one axis, with 8 channels"):
        fit(net, images, Y, loss="cross_entropy", verbose=False)
    fit(net, images[..., None], Y, loss="cross_entropy", verbose=False)
    fit(net.replace("conv_0", conv(2, (3,))), images, Y, loss="cross_entropy", verbose=False)


def test_the_network_says_what_does_not_fit_it():
    assert "scale the data first" in said(DtypeError, x=(X * 0).astype(np.uint8))
    assert "kernel of shape (5, 8) for this input, got (6, 8)" in said(ParamsError, start=NET.init(0, 6))
    trained = fit(NET, X, Y, loss="cross_entropy", batch_size=10, verbose=False)
    with pytest.raises(LayerError, match=r"fc_0: expected kernel of shape \(4, 8\) for this input, got \(5, 8\)"):
        trained.predict(X[:, :4])
    with pytest.raises(ParamsError, match=r"kernel of shape \(4, 8\)") as caught:
        trained.evaluate(X[:, :4], Y)
    assert "fix      give examples like those trained on, (5,) each; these are (4,)" in str(caught.value)
    for x in (X[0], iter([X[0]])):
        with pytest.raises(DataError, match=r"like those trained on, \(5,\) each; got \(5,\); x\[None\] makes a batch"):
            trained.predict(x)
    with pytest.raises(DataError, match="no examples to predict"):
        trained.predict(X[:0])


def test_wrong_rank_is_the_layers_error():
    from compose import conv

    assert "got" in said(ShapeError, net=compose_seq(conv(4, 3), fc(3)))


def test_float64_is_said_once(monkeypatch):
    from compose.core import run

    monkeypatch.setattr(run, "_warned", set())
    with pytest.warns(UserWarning, match="float64 input is computed as float32"):
        fit(NET, X.astype(np.float64), Y, loss="cross_entropy", batch_size=10, verbose=False)
    fit(NET, X.astype(np.float64), Y, loss="cross_entropy", batch_size=10, verbose=False)


def test_a_loss_that_is_no_number_any_more_ends_training():
    with pytest.warns(UserWarning, match="training stopped: the loss is (nan|inf); try a lower learning rate"):
        trained = fit(
            fc(1),
            X,
            X[:, :1] * 1e4,
            loss="mse",
            optimizer="sgd",
            learning_rate=1e4,
            epochs=99,
            batch_size=5,
            verbose=False,
        )
    assert len(trained.history) < 99
