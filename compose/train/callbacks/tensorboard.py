"""Write a training for TensorBoard, through tensorboardX, which works without TensorFlow."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import jax
import numpy as np

from compose.core.errors import ConfigError
from compose.core.patterns import paths
from compose.core.run import arguments
from compose.distributed.exchange import local
from compose.train.callbacks.event import Answer, Callback, Event
from compose.train.callbacks.hyperparameters import check, hyperparameters
from compose.train.keywords import settings


@settings
class tensorboard(Callback):
    """Scalars of every epoch, `loss/train` beside `loss/val`, over the number of steps.

    Args:
        folder: where `tensorboard --logdir` looks.
        steps: scalars every so many steps too, as `loss/steps`: means over the epoch so far.
        histograms: histograms of all parameters at the end of every epoch.
        projector: for the Embedding Projector, the path of a layer, examples, and a label for each or None: the output
            of the layer for the examples at the end of the training.
        hyperparameters: names and values for the tab HPARAMS, where trainings are compared, beside the options of `fit`
            such as the loss and the learning rate, which are always there.

    The network's text and its graph are written once. It needs the package tensorboardX:
    `pip install "compose-jax[tensorboard]"`.
    """

    folder: str | os.PathLike
    steps: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    histograms: bool = False
    projector: tuple[str, Any, Any] | None = None
    hyperparameters: Mapping[str, bool | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.hyperparameters)
        _writer_class()

    @property
    def on(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return (*(() if self.steps is None else ("steps",)), "epoch", *(() if self.projector is None else ("end",)))

    def begin(self, event: Event) -> Any:
        if not event.first:
            return _Silent(self.histograms)
        writer = _writer_class()(os.fspath(self.folder), purge_step=event.step + 1 if event.step else None)
        if event.step == 0:
            writer.add_text("network", f"    {event.net}")
            writer.file_writer.add_event(_graph(event))
        session = event.trained.session
        compared = hyperparameters({} if session is None else session.options, self.hyperparameters)
        return _Writing(writer, self.histograms, self.projector, compared)


class _Silent:
    """What the processes do that write no files: their part in putting parameters together."""

    def __init__(self, histograms: bool):
        self.histograms = histograms

    def __call__(self, event: Event) -> Answer | None:
        if self.histograms and event.on == "epoch":
            local(event.params)
        elif event.on == "end":
            local((event.params, event.state))


class _Writing:
    def __init__(self, writer: Any, histograms: bool, projector: Any, compared: dict[str, Any]):
        self.writer, self.histograms, self.projector, self.compared = writer, histograms, projector, compared
        self.end: Any = None

    def __call__(self, event: Event) -> Answer | None:
        if event.on == "end":
            return self._project(event)
        scores = {
            _tag(name, event.on): value for name, value in event.scores.items() if name not in ("epoch", "seconds")
        }
        for tag, value in scores.items():
            self.writer.add_scalar(tag, value, event.step)
        if event.on == "epoch" and self.end is None:
            self._compare(scores)
        if self.histograms and event.on == "epoch":
            params = local(event.params)
            for path, leaf in zip(paths(params), jax.tree.leaves(params)):
                self.writer.add_histogram(path, np.asarray(leaf, np.float32), event.step)
        return None

    def _compare(self, scores: dict[str, float]) -> None:
        """Write what TensorBoard compares trainings by: the hyper-parameters, and the tags of the scores."""
        from tensorboardX.summary import hparams

        experiment, start, self.end = hparams(self.compared, scores)
        self.writer.file_writer.add_summary(experiment)
        self.writer.file_writer.add_summary(start)

    def _project(self, event: Event) -> None:
        path, x, labels = self.projector
        outputs = event.net.intermediates(*local((event.params, event.state)), *arguments(x))
        if path not in outputs:
            raise ConfigError(f"the path of a layer for the projector: {', '.join(outputs)}", repr(path))
        vectors = np.asarray(outputs[path], np.float32)
        words = None if labels is None else [str(label) for label in labels]
        name = path.replace("/", "-")
        self.writer.add_embedding(vectors.reshape(len(vectors), -1), metadata=words, global_step=event.step, tag=name)

    def close(self) -> None:
        if self.end is not None:
            self.writer.file_writer.add_summary(self.end)
        self.writer.close()


def _tag(name: str, on: str) -> str:
    plain = name.removeprefix("val_")
    return f"{plain}/{'steps' if on == 'steps' else 'train' if plain == name else 'val'}"


def _graph(event: Event) -> Any:
    """The network's diagram as the graph that TensorBoard draws."""
    from tensorboardX.proto import event_pb2, graph_pb2, node_def_pb2

    made: tuple[Any, ...] = (event_pb2, graph_pb2, node_def_pb2)  # their classes are made as they are imported
    Record, GraphDef, NodeDef = made[0].Event, made[1].GraphDef, made[2].NodeDef
    diagram = event.net.diagram(*arguments(event.trained.inputs))
    names: list[str] = []
    for box in diagram.boxes:
        name = re.sub(r"[^A-Za-z0-9_./-]", "_", box.path or box.kind)
        names.append(name if name not in names else f"{name}_{len(names)}")
    nodes = []
    for i, (name, box) in enumerate(zip(names, diagram.boxes)):
        sources = [names[a] for a, b in diagram.arrows if b == i]
        node = NodeDef(name=name, op=box.label, input=sources)
        node.attr["output"].s = box.shape.encode()
        nodes.append(node)
    return Record(graph_def=GraphDef(node=nodes).SerializeToString())


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ConfigError(
            "the package tensorboardX for TensorBoard", "none installed", 'pip install "compose-jax[tensorboard]"'
        ) from None
    return SummaryWriter
