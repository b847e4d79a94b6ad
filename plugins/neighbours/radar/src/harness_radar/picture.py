"""A picture of cost and accuracy: configurations, routers, and the front between them, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from harness_radar.choosing import front

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 20, 48
#: Steps of the axes.
TICKS = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration, or one setting of a router."""

    name: str
    #: Per sample, in the unit that the picture names.
    cost: float
    #: In [0, 1].
    accuracy: float
    #: Whether it chooses among others.
    router: bool = False


def picture(points: Sequence[Point], unit: str) -> str:
    """An SVG of the points; a line joins those of the front. Routers are squares, configurations circles.

    Args:
        points: at least one.
        unit: of the cost, such as "tokens per sample".
    """
    dearest = max(point.cost for point in points) or 1.0
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>accuracy against {escape(unit)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_axes(dearest, unit),
    ]
    kept = [points[i] for i in front([(point.cost, point.accuracy) for point in points])]
    path = " ".join(f"{_x(point.cost, dearest):.1f},{_y(point.accuracy):.1f}" for point in kept)
    lines.append(f'<polyline points="{path}" fill="none" stroke="#3465a4" stroke-width="1.5"/>')
    lines += [_mark(point, dearest) for point in points]
    return "\n".join([*lines, "</svg>", ""])


def _x(cost: float, dearest: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * cost / (1.05 * dearest)


def _y(accuracy: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * accuracy


def _axes(dearest: float, unit: str) -> list[str]:
    foot, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    lines = [f'<path d="M{LEFT},{TOP} V{foot} H{right}" fill="none" stroke="black"/>']
    for i in range(TICKS + 1):
        share = i / TICKS
        lines.append(
            f'<text x="{LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>'
        )
        cost = share * dearest
        lines.append(
            f'<text x="{_x(cost, dearest):.1f}" y="{foot + 18}" text-anchor="middle">{cost:.3g}</text>'
        )
    middle = (LEFT + right) / 2
    lines.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(unit)}</text>')
    return lines


def _mark(point: Point, dearest: float) -> str:
    x, y = _x(point.cost, dearest), _y(point.accuracy)
    said = f"{point.name}: {100 * point.accuracy:.1f} % at {point.cost:.4g}"
    shape = (
        f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="#cc0000">'
        if point.router
        else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#3465a4">'
    )
    tag = "rect" if point.router else "circle"
    label = f'<text x="{x + 7:.1f}" y="{y - 6:.1f}">{escape(point.name)}</text>'
    return f"{shape}<title>{escape(said)}</title></{tag}>{label}"
