"""What the keywords of other libraries' training loops are here, as `helps_with_keywords` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

from compose.core.keywords import helps_with_keywords

T = TypeVar("T", bound=type)

_VALIDATION = ": validation=(x, y), or validation=0.2, a fraction of the examples"
_WHOLE = ": all of the validation data are used, after every epoch"
_AHEAD = ": the next batch is always read while the last step runs"
_DECAY = ": optimizer=optax.adamw(1e-3, weight_decay=1e-4), or a penalty, l2=1e-4"
_RESUMED = ": checkpoint='folder' goes on where a training was cut; trained.fit(...) goes on after one"
_DEVICES = ": devices=4 or devices='all' says how many; JAX's default device is the first"

FIT_KEYWORDS = {
    "validation_split": _VALIDATION,
    "validation_data": _VALIDATION,
    "val_data": _VALIDATION,
    "x_val": _VALIDATION,
    "X_val": _VALIDATION,
    "eval_set": _VALIDATION,
    "eval_dataset": _VALIDATION,
    "val_dataloaders": ": validation=loader",
    "val_loader": ": validation=loader",
    "train_dataloaders": ": the loader is the first argument, as in fit(loader, loss=...)",
    "train_loader": ": the loader is the first argument, as in fit(loader, loss=...)",
    "train_dataset": ": the data set is the first argument, as in fit(data, loss=...)",
    "validation_steps": _WHOLE,
    "validation_freq": _WHOLE,
    "validation_batch_size": _WHOLE,
    "shuffle": ": examples are shuffled anew in every epoch; a stream of batches keeps its own order",
    "initial_epoch": _RESUMED,
    "resume": _RESUMED,
    "ckpt_path": _RESUMED,
    "resume_from_checkpoint": _RESUMED,
    "workers": _AHEAD,
    "num_workers": _AHEAD,
    "use_multiprocessing": _AHEAD,
    "max_queue_size": _AHEAD,
    "criterion": "loss",
    "objective": "loss",
    "random_state": "seed",
    "rng": "seed",
    "alpha": "learning_rate",
    "nb_epoch": "epochs",
    "max_iter": "epochs",
    "max_steps": ": epochs=, and steps_per_epoch= for a stream of batches",
    "weights": "sample_weight",
    "weight": "sample_weight class_weight",
    "weight_decay": _DECAY,
    "momentum": ": optimizer=optax.sgd(0.1, momentum=0.9)",
    "scheduler": ": learning_rate=schedules.cosine(1e-3, warmup=0.1), or another of compose.schedules",
    "lr_scheduler": ": learning_rate=schedules.cosine(1e-3, warmup=0.1), or another of compose.schedules",
    "kernel_regularizer": "l2",
    "regularizer": "l2",
    "max_grad_norm": "clip",
    "gradient_accumulation_steps": "accumulate",
    "ema_momentum": "ema",
    "dtype": "precision",
    "amp": "precision",
    "device": _DEVICES,
    "accelerator": _DEVICES,
    "num_nodes": ": compose.distributed.start joins several processes",
    "strategy": "sharding",
    "monitor": ": callbacks=callbacks.early_stopping('val_loss')",
    "patience": ": callbacks=callbacks.early_stopping(patience=5)",
    "early_stopping": ": callbacks=callbacks.early_stopping(patience=5)",
    "logger": ": callbacks=callbacks.tensorboard('runs/1'), or csv_log, or jsonl_log",
    "jit_compile": ": the steps are always compiled",
    "run_eagerly": ": the steps are always compiled; jax.disable_jit() runs them one operation at a time",
}

knows_keywords = helps_with_keywords(FIT_KEYWORDS)  # of fit, evaluate and predict

_SAVED = ": fit(..., checkpoint=checkpoint('folder', steps=500)) saves as it goes, and save_best keeps the best alone"

SETTING_KEYWORDS = {
    "restore_best_weights": "best",
    "restore_best": "best",
    "delta": "min_delta",
    "threshold": "min_delta",
    "min_lr": "least: the smallest factor is least=, of a callback that lowers the rate",
    "log_dir": "folder path",
    "logdir": "folder path",
    "save_dir": "folder path",
    "directory": "folder path",
    "dirpath": "folder path",
    "path": "folder",
    "folder": "path",
    "filepath": "path folder",
    "filename": "path folder",
    "histogram_freq": "histograms",
    "update_freq": "steps",
    "save_best_only": _SAVED,
    "save_freq": "steps" + _SAVED,
    "every_n_train_steps": "steps" + _SAVED,
    "max_to_keep": "keep",
    "save_top_k": "keep",
}


@dataclass_transform(frozen_default=True)
def settings(cls: T) -> T:
    """A frozen dataclass: a callback, or another argument of `fit`, whose unknown keywords say what to write."""
    made = dataclass(frozen=True)(cls)
    made.__init__ = helps_with_keywords(SETTING_KEYWORDS, cls.__name__)(made.__init__)
    return made
