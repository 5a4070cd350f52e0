"""The page as HTML: images inline, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from compose.atomic import replacing
from compose.core.errors import ConfigError
from compose.core.printing import source
from compose.report.plotted import of_predictions, of_training
from compose.summary import one_example, summary
from compose.summary.diagram import overview
from compose.summary.html import table
from compose.train.custom import is_custom
from compose.train.examples import examples
from compose.train.scoring import Scoring
from compose.train.session import options_with

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222 }
h1 { font-size: 1.6em } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #ddd }
pre { background: #f6f7f9; padding: 0.8em; overflow-x: auto; font-size: 13px; line-height: 1.35 }
table { border-collapse: collapse; font-size: 14px } th, td { text-align: left; padding: 0.15em 1em 0.15em 0 }
th { border-bottom: 1px solid #bbb } img, svg { max-width: 100%; height: auto }
.side { display: flex; flex-wrap: wrap; gap: 0 2em } figure { margin: 0 }
"""


def report(
    trained: Any,
    path: str | os.PathLike,
    x: Any,
    y: Any,
    *,
    names: Sequence[Any] = (),
    title: str = "",
    loss: Any = None,
    metrics: Any = None,
) -> None:
    """See `Trained.report`."""
    scores = trained.evaluate(x, y, loss=loss, metrics=metrics)
    last = options_with(trained.session, loss)
    loss = loss or last["loss"]
    if is_custom(loss):
        raise ConfigError("a loss of predictions and targets, for a report", "one that runs the network itself")
    data = examples(x, y, net=trained.net)
    kept: dict[str, Any] = {name: last.get(name) for name in ("logits", "ignore_label", "loss_weights")}
    scoring = Scoring(trained.net, data, loss, (), None, **kept)
    parts = [
        f"<h1>{escape(title or 'Report')}</h1>",
        _section("Scores", _scores(scores, trained.history, data.count)),
        _section("Network", f"<pre>{escape(source(trained.net))}</pre>{_table(trained)}"),
        '<div class="side">',
        *_figures(of_training(trained)),
        *_figures(of_predictions(trained, scoring, data.x, data.y, names)),
        "</div>",
        _section("Diagram", overview(trained.net, trained.inputs).svg),
    ]
    text = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title or "Report")}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )
    with replacing(path) as file:
        file.write(text.encode())


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _figures(found: Iterator[tuple[str, Any]]) -> Iterator[str]:
    for title, figure in found:
        data = base64.b64encode(figure.data("png")).decode()
        width = round(figure.get_figwidth() * 100)
        image = f'<img alt="{escape(title)}" width="{width}" src="data:image/png;base64,{data}">'
        yield _section(title, f"<figure>{image}</figure>")


def _scores(scores: dict[str, Any], history: Sequence[dict[str, float]], count: int) -> str:
    """The scores on the examples, beside those of the last epoch of the training."""
    last = history[-1] if history else {}
    columns = [("on these examples", scores), ("training", last)]
    columns += [("validation", {k.removeprefix("val_"): v for k, v in last.items() if k.startswith("val_")})]
    shown = [(head, values) for head, values in columns if any(name in values for name in scores)]
    rows = [
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{_number(values.get(name))}</td>" for _, values in shown)
        + "</tr>"
        for name, value in scores.items()
        if np.ndim(value) == 0
    ]
    head = "".join(f"<th>{label}</th>" for label, _ in shown)
    epochs = f"{len(history)} epoch{'' if len(history) == 1 else 's'}"
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table><p>{count:,} examples; trained for {epochs}.</p>"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}"


def _table(trained: Any) -> str:
    return table(summary(trained.net, *one_example(trained.inputs)))
