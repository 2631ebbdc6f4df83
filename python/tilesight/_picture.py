"""A small picture of where rows lie, for notebooks."""

from __future__ import annotations

import html as _html
import math
from collections.abc import Sequence

Part = Sequence["tuple[float, float]"]

MOST = 1000
"""Rows that are drawn, at most."""

_WIDTH, _HEIGHT, _MARGIN = 320, 240, 8


def html(parts: Sequence[Part], table: str) -> str:
    """A picture of points and lines in degrees, above a table of text."""
    return f"{svg(parts)}<pre>{_html.escape(table)}</pre>"


def svg(parts: Sequence[Part]) -> str:
    """A picture of points and lines in degrees; of one position a point, of more a line.

    >>> svg([[(24.0, 60.0)], [(24.0, 60.0), (25.0, 60.5)]])
    '<svg ...<circle ...<polyline ...</svg>'
    """
    scale = _Scale([place for part in parts for place in part])
    shapes = "".join(_shape([scale.at(*place) for place in part]) for part in parts)
    style = "fill:none;stroke:#05cb63;stroke-width:1.5"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'style="{style}">{shapes}</svg>'
    )


def _shape(places: Sequence[tuple[float, float]]) -> str:
    if len(places) == 1:
        x, y = places[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/>'
    vertices = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{vertices}"/>'


class _Scale:
    """From degrees to the picture, in which a metre is as long from north to south as to the east."""

    def __init__(self, places: Sequence[tuple[float, float]]) -> None:
        lons = [lon for lon, _ in places] or [0.0]
        lats = [lat for _, lat in places] or [0.0]
        self._west, self._north = min(lons), max(lats)
        self._shrink = math.cos(math.radians((self._north + min(lats)) / 2))
        width = (max(lons) - self._west) * self._shrink
        height = self._north - min(lats)
        room = (_WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN)
        self._factor = min(
            room[0] / width if width else math.inf, room[1] / height if height else math.inf, 1e9
        )

    def at(self, lon: float, lat: float) -> tuple[float, float]:
        x = (lon - self._west) * self._shrink * self._factor
        y = (self._north - lat) * self._factor
        return x + _MARGIN, y + _MARGIN
