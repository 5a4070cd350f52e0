"""Data that comes as batches: iterators, generators, loaders of other libraries."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from compose.core.errors import ConfigError, DataError
from compose.core.layer import Layer
from compose.train.chunk import Chunk
from compose.train.distribution import ONE_DEVICE, Distribution
from compose.train.examples import Examples, examples
from compose.train.foreign import is_array

_HINT = "give a function that returns a new iterator for each epoch"


def is_stream(x: Any) -> bool:
    """Whether `fit`'s first argument gives batches, rather than being arrays."""
    if hasattr(x, "to_iter_dataset"):  # grain's MapDataset
        return True
    if isinstance(x, (Sequence, dict)) or is_array(x) or isinstance(x, type):
        return False
    return callable(x) or hasattr(x, "__iter__") or hasattr(x, "__next__")


class Stream:
    """Batches from a source: an iterator, what can be iterated over for each epoch, or a function that returns these.

    A batch is a pair (x, y), or (x, y, sample_weight), of arrays or trees of them. With `steps` an epoch has that many
    batches, and the next one goes on where it ended. Raises `DataError` if the first batch is not one.

    Attributes:
        x, y: those of the first batch, by which everything is planned.
        count: None, since the number of examples is not known.
        steps: the number of batches in an epoch, if it is known.
    """

    count = None

    def __init__(self, source: Any, steps: int | None = None, whole: bool = False, net: Layer | None = None):
        self.source, self.whole, self.net = source, whole, net
        self.goes_on = steps is not None or hasattr(source, "__next__")
        self.limit = steps
        self.steps = _length(source) if steps is None else steps
        self.check: Callable[[Examples], None] = lambda batch: None
        self.weighed: Callable[[Examples], Examples] = lambda batch: batch
        self.where: Distribution = ONE_DEVICE
        self.opened: Any = None
        self.source_left = self._read(0)
        self.ahead = [found for found in (next(self.source_left, None),) if found is not None]
        if not self.ahead:
            raise DataError(f"the data gave no batch{self._used_up()}")
        self.first = self._examples(self.ahead[0][0])
        self.x, self.y = self.first.x, self.first.y

    def specs(self, batch: int) -> Any:
        """The abstract input with batch size `batch`."""
        return self.first.specs(batch)

    def put(self, tree: Any) -> Any:
        """Arrays on the devices that use the batches."""
        return self.where.whole(tree)

    @property
    def divided(self) -> bool:
        """Whether several processes need not give batches of their own, since it divides them itself."""
        return isinstance(self.source, Rows)

    def over(self, where: Distribution) -> Stream:
        """This stream, with batches for the devices of `where`. Raises `ConfigError` if they cannot be split so."""
        self.where = where
        if where.spread:
            where.check_streams()
            if self.divided:
                self.source.process, self.source.processes = jax.process_index(), jax.process_count()
                self.ahead, self.source_left = [], self._read(0)
        return self

    def epoch(self, seed: int, number: int, skip: int = 0, place: Any = None) -> Iterator[Chunk]:
        """The chunks of epoch `number`, from 0: one for each batch. Resumed at `place`, after `skip` batches of it."""
        read = self._from(number, skip, place)
        done = skip
        while self.limit is None or done < self.limit:
            batch, after = next(read, (None, None))
            part = None if after is None else self._examples(batch)
            if part is not None:
                if part.count:
                    self.check(part)
                part = self.weighed(part)
            chunk = self.where.joined(part and (part.x, part.y), part and part.count)
            if chunk is None:
                if done == 0 or self.limit is not None:
                    raise DataError(f"the data gave {done} batches in epoch {number + 1}{self._used_up()}")
                return
            done += 1
            yield chunk._replace(place=after)

    def whole_pass(self) -> Iterator[Chunk]:
        """The chunks of one pass, for validation."""
        return self.epoch(0, 0)

    def _from(self, number: int, skip: int, place: Any) -> Iterator[tuple[Any, Any]]:
        """The batches of an epoch with the place after each."""
        if not self.goes_on and (number or not self.ahead):
            self.ahead, self.source_left = [], self._read(number)
        if place is not None and (self.goes_on or skip):
            self._go_to(place)
        return self._left()

    def _left(self) -> Iterator[tuple[Any, Any]]:
        """What is left of the source; giving it up half-way leaves the rest."""
        while self.ahead:
            yield self.ahead.pop()
        for found in self.source_left:  # noqa: UP028  `yield from` would close it along with this generator
            yield found

    def _go_to(self, place: Any) -> None:
        """Go to where a checkpoint left the data, by the iterator's own state or by reading up to there."""
        if "state" in place:
            if not self.ahead:
                self.ahead = [found for found in (next(self.source_left, None),) if found is not None]
            self.opened.set_state(_as_state(place["state"]))
            self.ahead = []
            return
        left = self._left()
        for _ in range(place["batches"]):
            if next(left, None) is None:
                raise DataError(f"the data ended before batch {place['batches']}, where the checkpoint goes on")

    def _read(self, number: int) -> Iterator[tuple[Any, Any]]:
        """The batches with the place after each; a source that goes on is opened again when it ends."""
        read = 0
        while True:
            before, self.opened = read, opened(self.source, number)
            for batch in self.opened:
                read += 1
                state = getattr(self.opened, "get_state", None)
                yield batch, {"batches": read} if state is None else {"state": _as_json(state())}
            if read == before or not self.goes_on or hasattr(self.source, "__next__"):
                return

    def _examples(self, batch: Any) -> Examples:
        if isinstance(batch, _NoneOf):
            return self._examples(batch.like).part(0, 0)
        if isinstance(batch, (tuple, list)) and len(batch) in (2, 3) and not self.whole:
            return examples(*(tuples(part) for part in batch), net=self.net, batch=True)
        if self.whole:
            return examples(tuples(batch), None)
        got = f"a {type(batch).__name__} of {len(batch)}" if isinstance(batch, (tuple, list)) else type(batch).__name__
        if isinstance(self.source, Rows):
            raise DataError(f"data[i] must be a pair (x, y); got {got}")
        raise DataError(
            f"each batch must be a pair (x, y), or (x, y, sample_weight); got {got}. A generator expression such as "
            "((b['image'], b['label']) for b in loader) makes pairs"
        )

    def _used_up(self) -> str:
        return f": an iterator is used up after one pass; {_HINT}" if hasattr(self.source, "__next__") else ""


class Rows:
    """The batches of a data set of single examples, `len(data)` and `data[i]`, such as torch's `Dataset`.

    They are in `fit`'s random order for a seed, and in that of the data without. Of several processes, each reads its
    own part of every batch.
    """

    def __init__(self, data: Any, batch: int, seed: int | None = None):
        try:
            self.count = len(data)
        except TypeError:
            raise DataError(
                f"{type(data).__name__} has no length, so data[i] may go on for ever; define __len__, or {_HINT}"
            ) from None
        self.data, self.batch, self.seed = data, batch, seed
        self.process, self.processes = 0, 1

    def __len__(self) -> int:
        return -(-self.count // self.batch)

    def __call__(self, epoch: int) -> Iterator[Any]:
        rows = np.arange(self.count)
        order = rows if self.seed is None else np.random.default_rng([self.seed, epoch]).permutation(rows)
        for at in range(0, self.count, self.batch):
            rows = order[at : at + self.batch]
            own = np.array_split(rows, self.processes)[self.process]
            items = [self.data[int(i)] for i in (own if len(own) else rows[:1])]
            items = [tuple(item) if isinstance(item, list) else item for item in items]
            batch = jax.tree.map(_stacked, *items, is_leaf=lambda value: isinstance(value, list))
            yield batch if len(own) else _NoneOf(batch)


@dataclass(frozen=True)
class _NoneOf:
    """No examples, of the kind of `like`."""

    like: Any


def stream_of(
    x: Any, steps: int | None, options: dict[str, Any], whole: bool = False, net: Layer | None = None
) -> Stream:
    """The stream for the first argument of `fit`; `net` is a network that may take inputs that are not finite."""
    if not is_stream(x):
        x = Rows(x, options["batch_size"], options["seed"])
    return Stream(x, steps, whole, net)


def check_stream_options(class_weight: Any) -> None:
    """Raise `ConfigError` for what needs all examples at once."""
    if class_weight == "balanced" or (isinstance(class_weight, dict) and "balanced" in class_weight.values()):
        raise ConfigError(
            "a weight for each class, for a stream whose classes are not counted", "class_weight='balanced'",
            "as in class_weight={0: 1.0, 1: 5.0}; balanced weights are n / (classes · occurrences)",
        )  # fmt: skip


def _length(source: Any) -> int | None:
    try:
        return len(source) if isinstance(source, Sized) else None
    except TypeError:  # a data set of TensorFlow that does not know, or that never ends
        return None


def opened(source: Any, number: int = 0) -> Any:
    """An iterator over the batches of a source in epoch `number`. Raises `DataError` for a function without one."""
    made: Any = source
    if callable(source) and not hasattr(source, "__iter__"):
        made = source(number) if _takes_epoch(source) else source()
    if hasattr(made, "to_iter_dataset"):  # grain's MapDataset
        made = made.to_iter_dataset()
    if not hasattr(made, "__iter__") and not hasattr(made, "__next__"):
        raise DataError(f"data given as a function must return an iterator; got {type(made).__name__}")
    return made if hasattr(made, "__next__") else iter(made)


def _stacked(*values: Any) -> np.ndarray:
    stacked = np.stack([np.asarray(value) for value in values])
    of_python = isinstance(values[0], (list, float))  # float64 was not asked for
    return stacked.astype(jax.dtypes.canonicalize_dtype(stacked.dtype)) if of_python else stacked


def tuples(part: Any) -> Any:
    """Lists of arrays, as loaders of torch give them, as tuples. A list of numbers, NumPy's too, is an array."""
    if isinstance(part, (tuple, list)) and part and all(hasattr(p, "__array__") and np.ndim(p) for p in part):
        return tuple(part)
    return part


def _takes_epoch(source: Callable) -> bool:
    try:
        needed = [
            p for p in inspect.signature(source).parameters.values()
            if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]  # fmt: skip
    except (TypeError, ValueError):
        return False
    return len(needed) == 1


def _as_json(state: Any) -> Any:
    return {"bytes": state.decode("latin-1")} if isinstance(state, bytes) else state


def _as_state(state: Any) -> Any:
    return state["bytes"].encode("latin-1") if isinstance(state, dict) and set(state) == {"bytes"} else state
