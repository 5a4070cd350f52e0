"""What the methods of networks in Keras and torch are here."""

from __future__ import annotations

_TRAINED = "net.fit(x, y, loss=...) returns a Trained, which has it; net.apply(params, state, x) runs a network"
_PARAMETERS = "parameters are beside the network: params, state = net.init(0, x), or those of a Trained"
_TRAIN = "net.apply(..., train=True) runs it as in training; predict and evaluate run it as in inference"
_LOAD = "compose.load(path) gives a Trained back"

LAYER_ATTRIBUTES = {
    "compile": "fit takes it all, as in net.fit(x, y, loss='mse', optimizer='adam', metrics='mae')",
    "predict": _TRAINED,
    "evaluate": _TRAINED,
    "save": _TRAINED,
    "history": _TRAINED,
    "add": "networks are values: net >> layer is a longer one",
    "append": "networks are values: net >> layer is a longer one",
    "build": "sizes are inferred from the input: net.init(0, x)",
    "layers": "net.walk() gives all of them with their paths, net['fc_0'] one, net[:2] the first two",
    "get_layer": "net['fc_0'] is the layer at a path",
    "count_params": "net.summary(x) counts them",
    "weights": _PARAMETERS,
    "variables": _PARAMETERS,
    "trainable_variables": _PARAMETERS,
    "trainable_weights": _PARAMETERS,
    "get_weights": _PARAMETERS,
    "set_weights": _PARAMETERS,
    "parameters": _PARAMETERS,
    "named_parameters": _PARAMETERS,
    "state_dict": _PARAMETERS,
    "load_weights": _LOAD,
    "load_state_dict": _LOAD,
    "train": _TRAIN,
    "eval": _TRAIN,
    "requires_grad_": "frozen(layer) does not train, and fit(..., freeze='stem/**') freezes by path",
}
