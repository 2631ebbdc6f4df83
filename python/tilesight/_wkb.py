"""Well-known binary, as far as places have it: points and polygons."""

from __future__ import annotations

import struct
from typing import Any

from .errors import QuestionError

_POINT, _POLYGON, _MULTI_POLYGON, _COLLECTION = 1, 3, 6, 7
_HAS_Z, _HAS_M, _HAS_SRID = 0x8000_0000, 0x4000_0000, 0x2000_0000
_WGS_84 = 4326
_MAX_DEPTH = 16


def geojson(data: bytes) -> dict[str, Any]:
    """Reads a geometry of OGC's, ISO's or PostGIS's dialect as GeoJSON.

    >>> import struct
    >>> geojson(struct.pack("<BIdd", 1, 1, 24.94, 60.17))
    {'type': 'Point', 'coordinates': [24.94, 60.17]}

    Raises :class:`~tilesight.QuestionError` for anything that is none, whatever its bytes.
    """
    try:
        return _Reader(data).geometry(_MAX_DEPTH)
    except struct.error as error:
        raise QuestionError(f"the WKB of {len(data)} bytes ends too early: {error}") from None


class _Reader:
    """Reads one value after the other; what is not there raises ``struct.error``."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._order = "<"

    def geometry(self, depth: int) -> dict[str, Any]:
        kind, dimensions = self._head()
        if kind == _POINT:
            return {"type": "Point", "coordinates": self._positions(1, dimensions)[0]}
        if kind == _POLYGON:
            return {"type": "Polygon", "coordinates": self._rings(dimensions)}
        if kind not in (_MULTI_POLYGON, _COLLECTION) or depth == 0:
            raise QuestionError(f"geometry type {kind} of the WKB is no point and no polygon")
        members = [self.geometry(depth - 1) for _ in range(self._count(least_bytes=5))]
        return {"type": "GeometryCollection", "geometries": members}

    def _head(self) -> tuple[int, int]:
        """The kind of geometry and how many numbers its positions have."""
        self._order = ">" if self._take("B")[0] == 0 else "<"
        (code,) = self._take("I")
        if code & _HAS_SRID:
            (system,) = self._take("i")
            if system != _WGS_84:
                raise QuestionError(f"SRID {system} is not 4326: transform it to WGS 84 first")
        dimensions = 2 + bool(code & _HAS_Z) + bool(code & _HAS_M)
        iso, kind = divmod(code & 0xFFFF, 1000)
        return kind, dimensions + (iso + 1) // 2

    def _rings(self, dimensions: int) -> list[list[list[float]]]:
        count = self._count(least_bytes=4)
        least = 8 * dimensions
        return [self._positions(self._count(least), dimensions) for _ in range(count)]

    def _positions(self, count: int, dimensions: int) -> list[list[float]]:
        numbers = self._take(f"{count * dimensions}d")
        return [list(numbers[at : at + 2]) for at in range(0, len(numbers), dimensions)]

    def _count(self, least_bytes: int) -> int:
        """A number of things, each of which takes some bytes that must be there."""
        (count,) = self._take("I")
        if count * least_bytes > len(self._data) - self._at:
            raise struct.error(f"{count} parts are promised at byte {self._at}")
        return int(count)

    def _take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(self._order + layout, self._data, self._at)
        self._at += struct.calcsize(self._order + layout)
        return values
