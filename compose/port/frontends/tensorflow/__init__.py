"""From TensorFlow: functions with variables, graphs of TF1 with their session, SavedModels."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.port.lowering.unsupported import NoValue, plain
from compose.port.ported import Ported
from compose.port.structure.sharing import Unshared


def from_tf(
    source: Any,
    *inputs: Any,
    outputs: Any = None,
    signature: str | None = None,
    training: Any = None,
    partial: bool = False,
) -> Ported:
    """Port what TensorFlow computes, with the variables it reads, to one expression with its weights.

    Args:
        source: a Python function, a `tf.function` or a `tf.Module`, to be called with the inputs; a
            `tf.compat.v1.Session`, or a `Graph`, whose variables then have their initial values; a SavedModel,
            as its folder or as it was loaded.
        inputs: example arrays, batch first; the batch may have any size afterwards. A dict gives them by name: to a
            session it is the `feed_dict`, in which numbers, such as a flag for training, are constants. Without
            inputs, a SavedModel gets random ones.
        outputs: for a session, the tensors that are computed, or their names; one, or several as a list or a dict.
        signature: which of a SavedModel's; `"serving_default"`, or the only one.
        training: how the source trains, where that is not as it infers: arguments of the function, or what is fed to
            the session, that differ, as `{"training": True}`; else another function of the same inputs, or other
            outputs of the session. Batch norm then has its momentum, dropout its rate, and training steps are
            compared in training.
        partial: where operations are missing, list them all in one error with the lines they come from.

    Returns a `compose.port.Ported`: `net, params, state, source, verify(...), save(...)`.

    Raises `PortError` for a function that cannot be traced, an operation without a rule, or a TensorFlow that is
    not installed. Without `training`, what is ported is the computation for inference, and training steps are
    compared in that mode too.
    """
    try:
        import tensorflow  # noqa: F401
    except ImportError:
        raise PortError("TensorFlow, to read its models: pip install 'compose-jax[tensorflow]'") from None
    from compose.port.frontends.tensorflow.sources import read_source, read_training

    read = read_source(source, inputs, outputs, signature)
    apart: frozenset[str] = frozenset()
    first: PortError | None = None
    while True:
        try:
            made = read.lowered(partial, read_training(source, inputs, outputs, training), apart)
            return Ported.of(*made, "tensorflow")
        except (NoValue, Unshared) as e:  # a variable that no layer of its own has
            if e.sources <= apart:
                raise first or plain(e) from None
            first, apart = first or plain(e), apart | e.sources
        except PortError as e:
            raise first or e from e
