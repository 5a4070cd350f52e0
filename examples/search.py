"""Hyper-parameter search with optuna: two processes share a study, and bad trials end early.

    pip install optuna
    python examples/search.py                      writes study.log, from which a second call goes on

Each trial trains one network; its validation accuracy after every epoch is reported, and a trial that is below the
median of the others at that epoch is pruned, by a callback of three lines. The file is all that the processes share,
so that they may be on any machines that see it. Which trial has which parameters depends on the order in which they
end, so the numbers vary a little. It prints

    40 trials: 18 complete, 22 pruned
    best validation accuracy: 0.967
    dropout: 0.4
    layers: 3
    rate: 0.00209
    width: 141
    test accuracy: 0.972
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from compose import callbacks, compose_seq, data, dropout, fc, flatten, relu, softmax

train, test = data.digits().split(test=0.2, seed=0)
part, held_out = train.split(test=0.25, seed=1)


def trained(parameters: dict, epochs: int, more=()):
    """The network with some parameters."""
    hidden = (fc(parameters["width"], relu), dropout(parameters["dropout"]))
    net = compose_seq(flatten, *hidden * parameters["layers"], fc(10, softmax))
    return net.fit(
        part, loss="cross_entropy", metrics="accuracy", learning_rate=parameters["rate"], epochs=epochs,
        validation=held_out, callbacks=more, verbose=False,
    )  # fmt: skip


def objective(trial: optuna.Trial, epochs: int) -> float:
    """The validation accuracy of a trial."""
    parameters = dict(
        width=trial.suggest_int("width", 8, 256, log=True), layers=trial.suggest_int("layers", 1, 3),
        rate=trial.suggest_float("rate", 1e-4, 1e-1, log=True), dropout=trial.suggest_float("dropout", 0.0, 0.5),
    )  # fmt: skip

    def report(event):
        trial.report(event.scores["val_accuracy"], event.epoch)
        return callbacks.stop if trial.should_prune() else None

    found = trained(parameters, epochs, [report])
    if len(found.history) < epochs:
        raise optuna.TrialPruned
    return found.history[-1]["val_accuracy"]


def study(seed: int) -> optuna.Study:
    """The study in the file, made by the process that comes first."""
    return optuna.create_study(
        study_name="digits", storage=JournalStorage(JournalFileBackend("study.log")), direction="maximize",
        load_if_exists=True, sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner(3, 2),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Search for hyper-parameters in two processes.")
    parser.add_argument("--trials", type=int, default=20, help="of each process")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--worker", type=int, help="the number of a process, which only does its trials")
    args = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    if args.worker is not None:
        study(args.worker).optimize(lambda trial: objective(trial, args.epochs), n_trials=args.trials)
        return
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--trials",
        str(args.trials),
        "--epochs",
        str(args.epochs),
    ]
    workers = [subprocess.Popen([*command, "--worker", str(i)], env=os.environ) for i in range(2)]
    if any(worker.wait() for worker in workers):
        raise SystemExit("a process failed")

    done = study(0)
    states = [trial.state.name.lower() for trial in done.trials]
    print(f"{len(states)} trials: {states.count('complete')} complete, {states.count('pruned')} pruned")
    print(f"best validation accuracy: {done.best_value:.3f}")
    for name, value in sorted(done.best_params.items()):
        print(f"{name}: {value:.3g}")
    accuracy = trained(done.best_params, args.epochs).evaluate(test, metrics="accuracy")["accuracy"]
    print(f"test accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
