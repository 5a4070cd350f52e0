"""HTML for notebooks: a network as a collapsible tree, a summary as a table. All text is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from compose.combinators.branch import identity
from compose.core.layer import Layer
from compose.core.printing import source

if TYPE_CHECKING:
    from compose.summary.printed import Printed


def html(net: Layer) -> str:
    """A network's expression, and the tree of its layers."""
    return f'<pre style="line-height: 1.3">{escape(source(net))}</pre>{_tree(net, "")}'


def _branches(net: Layer) -> tuple[tuple[str, Layer], ...]:
    """The layers inside a combinator, also under wrappers; none for a leaf."""
    while net.transparent and net.children():
        net = net.children()[0][1]
    return net.children() if type(net).forward is Layer.forward else ()


def table(printed: Printed) -> str:
    """A summary or profile as an HTML table."""
    head = "".join(f"<th>{name}</th>" for name in printed.columns)
    body = "".join(
        "<tr>"
        + "".join(_cell(name, text, name in printed.counts) for name, text in zip(printed.columns, row))
        + "</tr>"
        for row in printed.cells()
    )
    totals = "<br>".join(f"{escape(label)}: {escape(text)}" for label, text in printed.totals())
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{totals}</p>"


def _cell(column: str, text: str, is_count: bool) -> str:
    inner = text.lstrip(" ")
    indent = (len(text) - len(inner)) / 2
    style = f"text-align: {'right' if is_count else 'left'}; padding-left: {0.5 + indent:.1f}em"
    escaped = escape(inner)
    return f'<td style="{style}">{f"<code>{escaped}</code>" if column == "layer" and escaped else escaped}</td>'


def _tree(net: Layer, key: str = "") -> str:
    text = " ".join(source(net).split())
    title = f"{escape(key)} <code>{escape(text if len(text) < 100 else text[:99] + '…')}</code>"
    inner = "".join(_tree(child, child_key) for child_key, child in _branches(net) if child is not identity)
    if not inner:
        return f'<div style="margin-left: 2em">{title}</div>'
    return f'<details style="margin-left: 1em" {"open" if not key else ""}><summary>{title}</summary>{inner}</details>'
