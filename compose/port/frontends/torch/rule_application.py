"""What rules make of the nodes of an exported graph; where one has no rule, what its parts make."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.fx.node import map_aggregate
from torch.utils import _pytree as pytree

from compose.core.errors import LayerError, PortError
from compose.port.frontends.torch.capture import sizes_of, user_line
from compose.port.frontends.torch.constants import wide
from compose.port.frontends.torch.decompose import decomposed
from compose.port.frontends.torch.graph import live_nodes
from compose.port.frontends.torch.operands import Operands
from compose.port.frontends.torch.unbatched import Unbatched
from compose.port.frontends.torch.weight_expressions import Derived
from compose.port.lowering.values import Value, identity_axes

_OF_ANOTHER_USE = (
    TypeError,
    StopIteration,
    AssertionError,
    NotImplementedError,
    AttributeError,
    ValueError,
    LookupError,
    ZeroDivisionError,
)


class NoRule(Exception):
    """An operation without a rule, which torch does not decompose."""

    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


class RuleApplication(Operands):
    """The lowering of single nodes by their rules.

    Attributes:
        env: the result of each node.
        inputs: the values that the model is called with.
        live: the nodes that the outputs depend on.
        inside: the operations whose parts are being lowered.
        fixed_batch: whether the first axes are read as they are in the example, and are no batch.
    """

    env: dict[torch.fx.Node, Any]
    live: set[torch.fx.Node]

    def __init__(self) -> None:
        super().__init__()
        self.env = {}
        self.inputs: list[Value] = []
        self.live = set()
        self.inside: list[Any] = []
        self.fixed_batch = False

    def call(self, node: torch.fx.Node) -> Any:
        """The result of a node that calls a function."""
        raise NotImplementedError

    def lookup(self, value: Any) -> Any:
        """The result of a node; any other value as it is."""
        return self.env[value] if isinstance(value, torch.fx.Node) else value

    @contextlib.contextmanager
    def named(self, name: str) -> Iterator[None]:
        """Errors in the `with` block say the operation and the user's line."""
        try:
            yield
        except PortError as e:
            raise PortError(f"{name} at {self.location()}: {e}") from e

    def apply(self, name: str, rule: Callable, *args: Any, **kwargs: Any) -> Any:
        try:
            with self.named(name):
                return rule(self, *args, **kwargs)
        except PortError:
            raise
        except LayerError as e:
            raise PortError(f"{name} at {self.location()}: {e}") from e
        except _OF_ANOTHER_USE as e:  # a rule for values got a parameter, or an unknown option
            raise PortError(f"{name} at {self.location()}: as its rule knows it, got another use ({e})") from e

    def _unknown(self, node: torch.fx.Node) -> Any:
        """Values of the shapes that an operation without a rule would give."""
        as_value = lambda v: Value(self.inputs[0].index, sizes_of(v), identity_axes(v.ndim))
        return pytree.tree_map(lambda v: as_value(v) if isinstance(v, torch.Tensor) else v, node.meta["val"])

    def by_rule(self, name: str, rule: Callable, node: Any, args: Any, kwargs: Any) -> Any:
        """What a rule makes of a node; where it knows no such use of the operation, what the node's parts make."""
        before, unread = list(self.ops), len(self.unread)
        try:
            return self.apply(name, rule, node, *args, **kwargs)
        except PortError as e:
            self.ops, self.unread[unread:] = list(before), []
            number = bool(args) and isinstance(args[0], Value) and args[0].ndim == 0
            alone = isinstance(e.__cause__, Unbatched) and not self.fixed_batch
            if node.target in self.inside or number or alone:
                raise  # what is written for a batch would be for one example alone
            try:
                return self._parts(node)
            except (PortError, NoRule) as inner:
                self.ops, self.node = before, node
                raise e from inner

    def in_parts(self, node: Any) -> Any:
        """The result of a node without a rule, by those of the operations that torch decomposes it into."""
        before = list(self.ops)
        try:
            return self._parts(node)
        except NoRule as e:
            self.ops, self.node = before, node
            if self.inside:
                raise
            inner = "" if e.name == str(node.target) else f"it is made of {e.name}, which has none either"
            self.lacks(str(node.target), user_line(node), inner)
            return self._unknown(node)

    def _parts(self, node: Any) -> Any:
        """As `in_parts`. Raises `NoRule` for an operation without a rule that has no parts."""
        graph = None if node.target in self.inside else decomposed(node)
        if graph is None:
            raise NoRule(str(node.target))
        self.sized = True  # the parts may hold the lengths that torch has read
        given, result = iter(node.all_input_nodes), None
        self.inside.append(node.target)
        self.live |= live_nodes(graph)
        try:
            for inner in graph.nodes:
                self.node = inner
                if inner.op == "placeholder":
                    self.env[inner] = self.env[next(given)]
                elif inner.op == "get_attr":
                    self.env[inner] = wide(getattr(graph.owning_module, inner.target).numpy())
                elif inner.op == "call_function" and inner in self.live:
                    self.env[inner] = self.call(inner)
                elif inner.op == "output":
                    result = map_aggregate(inner.args[0], self.lookup)
        finally:
            self.inside.pop()
            self.node = node
        return result

    def of_weights(self, name: str, rule: Callable, values: list[Any], *args: Any, **kwargs: Any) -> Any:
        """A parameter in another shape, or an expression of parameters that is emitted where a value meets it."""
        unread = len(self.unread)
        if not any(isinstance(v, Derived) or self.stands_apart(v) for v in values):
            try:
                return self.apply(name, rule, self.node, *args, **kwargs)
            except PortError:
                del self.unread[unread:]
        return Derived(self, self.node, rule, args, kwargs, self.shape)
