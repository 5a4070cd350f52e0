"""The training loop: epochs over the data, from a start to a `Trained`."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from compose.core.plan import plan
from compose.core.run import check_params
from compose.core.warning import warn
from compose.distributed.peers import together
from compose.train.agreement import agreed, own_place, same_answer
from compose.train.batches import batches_of
from compose.train.callbacks.event import Answer, Event
from compose.train.callbacks.running import Running
from compose.train.checkpoints import Checkpoints
from compose.train.copies import copied
from compose.train.epoch import Pass, StepsPerCall, room_for
from compose.train.freezing import resting
from compose.train.interrupt import Interrupt
from compose.train.optimizers import merge, split
from compose.train.progress import Silent, progress
from compose.train.resume import restored, snapshot
from compose.train.session import Session
from compose.train.start import begin, first_carry
from compose.train.structural_key import structural_key
from compose.train.task import Task
from compose.train.train_step import Carry, training_steps
from compose.train.trained import Trained


def train(task: Task) -> Trained:
    """`fit` with its arguments made ready."""
    where = task.scoring.distribution
    with contextlib.ExitStack() as stack, together(lambda: _advice(task)):
        folder = None if task.checkpoint is None else Checkpoints(task.checkpoint, where)
        if folder is not None:
            stack.callback(folder.close)
        training = Training(task, folder)
        stack.callback(training.running.close)
        interrupt = stack.enter_context(Interrupt(folder is not None, where.most if where.spread else None))
        verbose = task.options["verbose"] and where.first
        shown = stack.enter_context(progress(verbose, training.epoch, training.last, task.data.count))
        while training.epoch <= training.last and not (training.stopped or interrupt.settled()):
            training.one_epoch(interrupt, shown)
        interrupted = interrupt.asked and training.epoch <= training.last and not training.stopped
        training.save(last=True)
        if interrupt.terminated:
            shown.note(f"terminated in epoch {training.epoch}; the same call continues from the checkpoint")
            raise SystemExit(128 + signal.SIGTERM)
        if interrupted:
            shown.note(f"stopped in epoch {training.epoch}; returning the network trained so far")
        else:
            training.fire("end", {})
    return training.trained(interrupted)


class Training:
    """What changes in the course of a training.

    Attributes:
        base: the number of epochs before this training.
        epoch: the number of the running epoch, or of the next one, from 1.
        history: the rows of those before it.
        over: the pass over the data in the running epoch.
        stopped: whether a callback or a loss that is not finite has ended it.
    """

    def __init__(self, task: Task, folder: Checkpoints | None):
        self.task, self.folder, options = task, folder, task.options
        self.inputs = inputs = task.inputs
        task.scoring.check(task.data)
        if task.held_out is not None:
            task.scoring.check(task.held_out, "validation")
        self.where = where = task.scoring.distribution
        self.about = agreed(task) if folder is not None or where.spread else {}
        found = None if folder is None else folder.latest(plan(task.net, inputs).param_specs())
        kept: Any = None
        if found is None:
            before = begin(task.net, inputs, options["seed"], task.start, where)
        else:
            before, kept = restored(task, self.about, inputs, *found)
        task.scoring.check_end(task.data, before.params, before.state)
        self.optimizer_key = structural_key(task.update)  # before it runs: schedules may change what they captured
        self.batches = batches_of(task.data, options, where)
        self.validating = None if task.held_out is None else batches_of(task.held_out, options, where)
        steps = len(before.history) * (self.batches.steps or 0)
        anew = task.anew and kept is None
        begun = first_carry(task, before, self.optimizer_key, steps, anew)
        self.carry, self.fixed = where.place(before.params, begun)
        net = resting(task.net, inputs, task.freeze)
        self.run = training_steps(net, task.scoring.scores, task.update, task.scoring.dtype, task.regime, where)
        self.history, self.steps_per_call = list(before.history), StepsPerCall(where.of_first)
        self.key = where.whole(jax.random.key(options["seed"]))
        self.base = kept["base"] if kept else len(before.history)
        self.epoch = kept["epoch"] if kept else self.base + 1
        self.last, self.stopped = self.base + task.epochs, bool(kept and kept["stopped"])
        self.resumed, self.over, self.began, self.spent = kept and kept["over"], None, 0.0, 0.0
        self.place = self.from_place = kept and own_place(kept["place"])
        self.running = Running(task.callbacks, self.event("begin", {}))
        if kept:
            self.running.restore(kept["callbacks"])
        if kept and folder:
            folder.last_step = before.session.steps if before.session else -1

    def one_epoch(self, interrupt: Interrupt, shown: Silent) -> None:
        """Run an epoch and write its row of the history; if interrupted, return before that."""
        shown.begin(self.epoch)
        self.over = over = self.begin_pass(shown)
        before = int(self.carry.step) - over.steps
        while not (interrupt.settled() or self.stopped):
            done = over.advance(self.until_next(before + over.steps))
            if not done:
                break
            self.carry, self.place, step = over.carry, over.place, before + over.steps
            named = self.task.scoring.scores.result(over.sums, over.examples, live=True)
            shown.advance(done, named)
            if self.running.wants("steps", step):
                self.fire("steps", named)
            self.save()
        if interrupt.asked or self.stopped:
            return
        record = {"epoch": float(self.epoch), "seconds": self.where.of_first(self.seconds())}
        record |= self.task.scoring.scores.result(over.sums, over.examples)
        if self.validating is not None:
            measured = self.task.scoring.measure(self.params(), self.carry.state, self.validating, shown.compiling)
            record |= {f"val_{name}": value for name, value in measured.items()}
        self.history.append(record)
        self.over = None
        shown.end(record)
        self.fire("epoch", record)
        self.epoch += 1
        if not np.isfinite(record["loss"]):
            message = f"training stopped: the loss is {record['loss']}; try a lower learning rate"
            warn(message)
            self.stopped, self.folder = True, None  # the last checkpoint is from before
        self.save()

    def begin_pass(self, shown: Silent) -> Pass:
        """The pass of the running epoch, from its first step or from where a checkpoint left it."""
        done, self.resumed = self.resumed, None
        self.began, self.spent = time.perf_counter(), done["seconds"] if done else 0.0
        sums = self.task.scoring.scores.start(self.batches.count or 0)
        if done:
            sums = jax.tree.unflatten(jax.tree.structure(sums), done["sums"])
        sums = self.batches.put(sums)
        steps, examples = (done["steps"], done["examples"]) if done else (0, 0)
        place, self.from_place = self.from_place, None
        chunks = self.batches.epoch(self.options["seed"], self.epoch - 1, steps, place)
        return Pass(
            self.run, self.carry, (self.fixed, self.key), chunks, sums, self.steps_per_call, shown.compiling,
            steps, examples, room_for(self.batches, self.task.scoring.scores),
        )  # fmt: skip

    def seconds(self) -> float:
        """How long the running epoch has taken, before it was cut off too."""
        return self.spent + time.perf_counter() - self.began

    def until_next(self, step: int) -> int | None:
        """How many steps may run at once."""
        limits = (self.running.until_next(step), self.folder.until_next(step) if self.folder else None)
        return min((limit for limit in limits if limit is not None), default=None)

    def save(self, last: bool = False) -> None:
        """Save a checkpoint if one is due, or the last."""
        step = int(self.carry.step) if self.folder else 0
        if self.folder is not None and (last or self.folder.due(step)):
            self.folder.save(step, *snapshot(self))
            if last:
                self.folder.wait()

    def params(self) -> dict[str, Any]:
        """The parameters, averaged if they are averaged."""
        return _params(self.carry, self.fixed)

    def trained(self, interrupted: bool = False, copy: bool = False) -> Trained:
        """The training as it is now, in arrays of its own with `copy`."""
        carry, fixed = self.where.together((copied(self.carry) if copy else self.carry, self.fixed))
        session = Session(
            self.options, self.task.update, self.optimizer_key, carry.opt_state, int(carry.step), carry.scale,
            carry.rate, None if carry.average is None else merge(carry.training, fixed), self.where.spread,
        )  # fmt: skip
        params = _params(carry, fixed)
        net, history, names = self.task.net, tuple(self.history), self.task.names
        return Trained(net, params, carry.state, history, self.inputs, session, interrupted, names)

    @property
    def options(self) -> dict[str, Any]:
        return self.task.options

    def event(self, on: str, scores: dict[str, float]) -> Event:
        epoch = self.epoch - 1 if on in ("begin", "end") else self.epoch
        rate = 1.0 if self.carry.rate is None else float(self.carry.rate)
        now = lambda: self.trained(copy=True)
        step, history = int(self.carry.step), tuple(self.history)
        names = self.task.scoring.scores.names
        names += tuple(f"val_{name}" for name in names) * (self.validating is not None)
        return Event(on, epoch, step, scores, history, self.task.net, rate, now, self.where.first, names)

    def fire(self, on: str, scores: dict[str, float]) -> None:
        """Call the callbacks for an event, and do what they answer."""
        if not self.running.wants(on, int(self.carry.step)):
            return
        self._take(same_answer(self.where, self.running.fire(self.event(on, scores))))
        if self.over is not None:
            self.over.carry, self.over.constants = self.carry, (self.fixed, self.key)

    def _take(self, answer: Answer) -> None:
        carry, net = self.carry, self.task.net
        if answer.params is not None or answer.state is not None:
            params = self.params() if answer.params is None else answer.params
            state = carry.state if answer.state is None else answer.state
            check_params(net, plan(net, self.inputs), params, state)
            params, state = jax.tree.map(jnp.array, (params, state))
            training, self.fixed = split(net, params, self.task.freeze)
            average = None if carry.average is None else copied(training)
            carry = carry._replace(training=training, state=state, average=average)
        if answer.rate is not None:
            if not 0 <= answer.rate < math.inf:
                raise ValueError(f"a callback answered rate={answer.rate!r}; it must be a number of at least 0")
            carry = carry._replace(rate=jnp.float32(answer.rate))
        if carry is not self.carry:
            self.carry, self.fixed = self.where.place(merge(carry.training, self.fixed), (carry, self.fixed))
        self.stopped = self.stopped or answer.stop


def _advice(task: Task) -> str:
    if task.checkpoint is None:
        return "start all processes again; with checkpoint=FOLDER they would go on where this training was"
    return f"start all processes again; they go on from the latest checkpoint in {task.checkpoint.folder}"


def _params(carry: Carry, fixed: Any) -> dict[str, Any]:
    return merge(carry.training if carry.average is None else carry.average, fixed)
