"""A diagram as SVG: boxes in rows by their distance from the input, arrows through lanes between them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.summary.diagram import Diagram

HEIGHT, GAP, ROW, LETTER, MARGIN = 40, 26, 72, 7.3, 16  # pixels; a letter of the font is so wide
JOIN = 26
FILL = {"layer": "#e8f0fe", "join": "#fff4d6", "input": "#eeeeee", "output": "#eeeeee"}
ROUNDS = 8


@dataclass
class Place:
    """Where a box, or the bend of an arrow that passes a row, lies; `x` is its middle."""

    row: int
    width: float
    height: float
    x: float = 0.0

    @property
    def y(self) -> float:
        return MARGIN + HEIGHT / 2 + self.row * ROW

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2


def draw(diagram: Diagram) -> str:
    """The SVG text of a diagram."""
    places, lines = _places(diagram)
    _arrange(places, lines)
    frames = _frames(diagram, places, lines)
    shift = MARGIN - min([p.left for p in places] + [frame.left for frame in frames])
    for place in places + frames:
        place.x += shift
    width = max([p.right for p in places] + [frame.right + 30 for frame in frames]) + MARGIN
    height = max(p.bottom for p in places) + MARGIN
    parts = [*_frame_parts(diagram, frames), *(_line(places, line) for line in lines), *_boxes(diagram, places)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="12">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8Z" fill="#666"/></marker></defs>'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
    )


def _places(diagram: Diagram) -> tuple[list[Place], list[list[int]]]:
    """The places of all boxes, then of the bends; and the places that each arrow passes."""
    rows = [0] * len(diagram.boxes)
    for start, end in diagram.arrows:  # boxes are in the order in which they run, and arrows in that of their ends
        rows[end] = max(rows[end], rows[start] + 1)
    places = []
    for row, box in zip(rows, diagram.boxes):
        letters = max(len(box.label), 0.8 * len(box.shape))
        join = box.kind == "join"
        places.append(Place(row, JOIN if join else LETTER * letters + 22, JOIN if join else HEIGHT))
    lines = []
    for start, end in diagram.arrows:
        bends = range(rows[start] + 1, rows[end])
        lines.append([start, *range(len(places), len(places) + len(bends)), end])
        places += [Place(row, 10.0, HEIGHT) for row in bends]
    return places, lines


def _arrange(places: list[Place], lines: list[list[int]]) -> None:
    """Put every place near the middle of those that it is connected with, without overlaps in its row."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for line in lines:
        for a, b in pairwise(line):
            above.setdefault(b, []).append(a)
            below.setdefault(a, []).append(b)
    rows: dict[int, list[int]] = {}
    for i, place in enumerate(places):
        rows.setdefault(place.row, []).append(i)
    for turn in range(ROUNDS):
        up = turn % 2 == 1
        for row in sorted(rows, reverse=up):
            wanted = {i: _middle(places, (below if up else above).get(i, [i])) for i in rows[row]}
            rows[row].sort(key=lambda i: wanted[i])
            _spread(places, rows[row], wanted)


def _middle(places: list[Place], of: list[int]) -> float:
    return sum(places[i].x for i in of) / len(of)


def _spread(places: list[Place], row: list[int], wanted: dict[int, float]) -> None:
    """Set the places of a row in its order: as near to what is wanted as their widths allow."""
    at, offsets = 0.0, []
    for i in row:
        offsets.append(at + places[i].width / 2)
        at += places[i].width + GAP
    pulled = [wanted[i] - offset for i, offset in zip(row, offsets)]
    groups: list[list[float]] = []  # the shift of neighbours that would overlap is their mean
    for shift in pulled:
        groups.append([shift])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    shifts = [_mean(group) for group in groups for _ in group]
    for i, offset, shift in zip(row, offsets, shifts):
        places[i].x = offset + shift


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


@dataclass
class Frame:
    """A rectangle around places; `x` is its left side."""

    x: float
    width: float
    top: float
    bottom: float

    @property
    def left(self) -> float:
        return self.x

    @property
    def right(self) -> float:
        return self.x + self.width


def _frames(diagram: Diagram, places: list[Place], lines: list[list[int]]) -> list[Frame]:
    """The frames around the boxes in each, and around the bends of the arrows that end there."""
    frames = []
    for number in range(len(diagram.frames)):
        boxes = {i for i, box in enumerate(diagram.boxes) if number in box.frames}
        first = min(places[i].row for i in boxes)
        bends = {i for line in lines if line[-1] in boxes for i in line[1:-1] if places[i].row >= first}
        inside = [places[i] for i in boxes | bends]
        level = max(len(diagram.boxes[i].frames) - diagram.boxes[i].frames.index(number) for i in boxes)
        room, high = 12 * level, 4 + 4 * level
        left, right = min(p.left for p in inside) - room, max(p.right for p in inside) + room
        top, bottom = min(p.top for p in inside) - high, max(p.bottom for p in inside) + high
        frames.append(Frame(left, right - left, top, bottom))
    return frames


def _frame_parts(diagram: Diagram, frames: list[Frame]) -> list[str]:
    return [
        f'<rect x="{frame.left:.1f}" y="{frame.top:.1f}" width="{frame.width:.1f}" '
        f'height="{frame.bottom - frame.top:.1f}" rx="8" fill="none" stroke="#999" stroke-dasharray="5 4"/>'
        f'<text x="{frame.right + 6:.1f}" y="{frame.top + 14:.1f}" fill="#555">{escape(text)}</text>'
        for text, frame in zip(diagram.frames, frames)
    ]


def _line(places: list[Place], line: list[int]) -> str:
    """An arrow: curves between rows, straight down where it passes one."""
    x, y = places[line[0]].x, places[line[0]].bottom
    path = f"M{x:.1f} {y:.1f}"
    for i in line[1:]:
        place = places[i]
        half = (place.top - y) / 2
        path += f"C{x:.1f} {y + half:.1f} {place.x:.1f} {place.top - half:.1f} {place.x:.1f} {place.top:.1f}"
        if i != line[-1]:
            path += f"V{place.bottom:.1f}"
        x, y = place.x, place.bottom
    return f'<path d="{path}" fill="none" stroke="#666" marker-end="url(#head)"/>'


def _boxes(diagram: Diagram, places: list[Place]) -> list[str]:
    parts = []
    for box, place in zip(diagram.boxes, places):
        corner = 5 if box.kind == "layer" else place.height / 2
        title = f"<title>{escape(box.path)}</title>" if box.path else ""
        text = _text(place.x, place.y + 4, box.label, "#111")
        if box.kind != "join":
            text = _text(place.x, place.y - 3, box.label, "#111")
            text += _text(place.x, place.y + 12, box.shape, "#666", 'font-size="10"')
        parts.append(
            f'<g>{title}<rect x="{place.left:.1f}" y="{place.top:.1f}" width="{place.width:.1f}" '
            f'height="{place.height}" rx="{corner:g}" fill="{FILL[box.kind]}" stroke="#7a8ba8"/>{text}</g>'
        )
    return parts


def _text(x: float, y: float, text: str, color: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{color}" {more}>{escape(text)}</text>'
