"""Callbacks: what `fit` calls while it trains.

A callback is a function of an `Event`, called at the end of every epoch; `every(100)` calls it every so many steps. It
returns None, `stop`, or `replace(...)`. What must remember something in the course of a training is an object with
`begin(event)`, which returns the function for one training: the object itself never changes, so that it can serve any
number of trainings. See `Callback`.
"""

from compose.train.callbacks.event import Callback, Event, every, replace, stop
from compose.train.callbacks.logs import csv_log, jsonl_log
from compose.train.callbacks.plateau import reduce_on_plateau
from compose.train.callbacks.save_best import save_best
from compose.train.callbacks.stopping import early_stopping
from compose.train.callbacks.tensorboard import tensorboard

__all__ = [
    "Callback", "Event", "csv_log", "early_stopping", "every", "jsonl_log", "reduce_on_plateau", "replace",
    "save_best", "stop", "tensorboard",
]  # fmt: skip
