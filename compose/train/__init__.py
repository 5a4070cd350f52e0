"""Training: `fit` takes examples and returns a trained network."""

from compose.train import callbacks, losses, metrics, schedules
from compose.train.checkpoints import checkpoint
from compose.train.cross_validate import CrossValidation, cross_validate
from compose.train.file import save
from compose.train.fit import fit
from compose.train.generation import generate
from compose.train.load import load
from compose.train.lr_find import lr_find
from compose.train.trained import Trained

__all__ = [
    "CrossValidation", "Trained", "callbacks", "checkpoint", "cross_validate", "fit", "generate", "load", "losses",
    "lr_find", "metrics", "save", "schedules",
]  # fmt: skip
