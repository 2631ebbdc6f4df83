"""What callers write, as the numbers and texts that the engine takes.

Every function here takes one argument in all the forms that it may have, and raises
:class:`~tilesight.QuestionError` or ``TypeError`` with a right one for anything else.
"""

from __future__ import annotations

import datetime
import json
import operator
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Union

from . import _wkb
from ._tilesight import Place
from .errors import QuestionError

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

Date: TypeAlias = Union[str, int, datetime.date, Any]
"""``"2023"``, ``"2023-05"``, ``"2023-05-01T10:30:00Z"``, milliseconds since 1970, or a date or
time of ``datetime``, pandas or NumPy. A partial date means its whole period; times without a zone
are UTC."""

Box: TypeAlias = Union["tuple[float, float, float, float]", "Mapping[str, float]", Any]
"""West, south, east and north in degrees: a sequence, or a mapping with these names."""

Position: TypeAlias = Union["tuple[float, float]", "Mapping[str, float]", Any]
"""Longitude and latitude in degrees: a sequence, a mapping ``{"lng": …, "lat": …}``, or a point
of shapely, GeoJSON or WKB."""

Region: TypeAlias = Any
"""Polygons: anything with ``__geo_interface__``, GeoJSON as text or mapping, or WKB."""

Ids: TypeAlias = Union[int, str, "Iterable[int | str]"]
"""An id or several, as integers or texts."""


class PlaceWords(TypedDict, total=False):
    """Where to look: one of ``bbox``, ``within``, ``near`` and ``looking_at``, or everywhere."""

    bbox: Box
    """Inside a box, edges included; ``west > east`` crosses the antimeridian."""
    within: Region
    """Inside polygons, boundaries included."""
    near: Position
    """Around a position, nearest first: with ``radius_m``, ``nearest`` or both."""
    nearest: int
    """How many, at most, by distance."""
    radius_m: float
    """Greatest distance in metres, included; 50 where images look at something."""
    looking_at: Position
    """What images show, nearest first."""
    fov_deg: float
    """Horizontal field of view of flat images in degrees; 100 where nothing is said."""


class ImageWords(PlaceWords, total=False):
    """What can be asked about images and sequences."""

    since: Date
    """Captured at or after the start of this date."""
    until: Date
    """Captured at or before the end of this date."""
    pano: bool | None
    """Panoramas (True) or flat images (False) only."""
    organization: Ids
    """By one of these organizations."""
    creator: Ids
    """By one of these creators."""
    sequence: str | Iterable[str]
    """In one of these sequences."""
    heading: tuple[float, float]
    """Heading from the first to the second in degrees, clockwise, through north if need be."""
    id: Ids
    """One of these."""
    limit: int
    """At most so many, the first in answer order."""
    allow_partial: bool
    """Answer from what is held even where tiles of the place are not; a warning says so."""
    fields: Iterable[str]
    """Names of the columns, in their order; ``geometry`` is one of them."""


class FeatureWords(PlaceWords, total=False):
    """What can be asked about map features."""

    signs: bool | None
    """Traffic signs (True) or objects (False) only."""
    value: str | Iterable[str]
    """One of these values; ``*`` at the end stands for anything."""
    first_seen_since: Date
    """First seen at or after the start of this date."""
    first_seen_until: Date
    """First seen at or before the end of this date."""
    last_seen_since: Date
    """Last seen at or after the start of this date."""
    last_seen_until: Date
    """Last seen at or before the end of this date."""
    id: Ids
    """One of these."""
    limit: int
    """At most so many, the first in answer order."""
    allow_partial: bool
    """Answer from what is held even where tiles of the place are not; a warning says so."""
    fields: Iterable[str]
    """Names of the columns, in their order; ``geometry`` is one of them."""


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MILLISECOND = datetime.timedelta(milliseconds=1)


def since(value: Date) -> int | str:
    """A date at whose start something begins.

    >>> import datetime
    >>> since("2023-05"), since(2023), since(datetime.date(2023, 5, 1))
    ('2023-05', '2023', '2023-05-01')
    >>> since(datetime.datetime(1970, 1, 1, 0, 0, 1, 500))
    1001
    """
    # The first whole millisecond that is not before it.
    return _date(value, lambda elapsed: -(-elapsed // _MILLISECOND))


def until(value: Date) -> int | str:
    """A date with whose end something ends.

    >>> import datetime
    >>> until(datetime.datetime(1970, 1, 1, 0, 0, 1, 500))
    1000
    """
    return _date(value, lambda elapsed: elapsed // _MILLISECOND)


def _date(value: Date, milliseconds: Callable[[datetime.timedelta], int]) -> int | str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime.datetime):
        if value != value:
            raise QuestionError("NaT is not a date: leave it out, or say '2023-05-01'")
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return milliseconds(value - _EPOCH)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bool):
        raise TypeError(f"{value} is not a date: '2023-05-01'")
    try:
        return str(operator.index(value))
    except TypeError:
        # As NumPy's dates and pandas' periods: they are written as we read them.
        return str(value)


def box(value: Box) -> tuple[float, float, float, float]:
    """A box in degrees.

    >>> box({"west": 24.92, "south": 60.16, "east": 24.95, "north": 60.18})
    (24.92, 60.16, 24.95, 60.18)
    """
    right = "bbox=(24.92, 60.16, 24.95, 60.18), west, south, east and north"
    if isinstance(value, Mapping):
        try:
            value = [value[edge] for edge in ("west", "south", "east", "north")]
        except KeyError as error:
            raise QuestionError(f"the box lacks {error}: {right}") from None
    if isinstance(value, str) or len(value) != 4:
        raise QuestionError(f"{value!r} is not a box: {right}")
    west, south, east, north = map(float, value)
    return west, south, east, north


def position(value: Position) -> tuple[float, float]:
    """A position in degrees.

    >>> position((24.94, 60.17)), position({"lng": 24.94, "lat": 60.17})
    ((24.94, 60.17), (24.94, 60.17))
    """
    right = "(24.9384, 60.1699), longitude and latitude"
    if isinstance(value, Mapping) and "lat" in value:
        lon = value.get("lng", value.get("lon"))
        if lon is None:
            raise QuestionError(f"{value!r} has no lng: {right}")
        return float(lon), float(value["lat"])
    if hasattr(value, "__geo_interface__") or isinstance(value, (Mapping, str, bytes)):
        geometry = _geojson(value)
        geometry = geometry.get("geometry", geometry)
        if geometry.get("type") != "Point":
            raise QuestionError(f"{geometry.get('type')!r} is not a point: {right}")
        value = geometry["coordinates"][:2]
    if len(value) != 2:
        raise QuestionError(f"{value!r} is not a position: {right}")
    lon, lat = map(float, value)
    return lon, lat


def positions(values: Any) -> bytes:
    """Many positions: points of a GeoSeries, an array of two columns, or positions one by one.

    They become pairs of longitude and latitude, as little-endian doubles.

    >>> struct.unpack("<4d", positions([(24.94, 60.17), {"lng": 24.95, "lat": 60.17}]))
    (24.94, 60.17, 24.95, 60.17)
    """
    values = _in_degrees(values)
    values = getattr(values, "geometry", values)
    if hasattr(values, "x") and hasattr(values, "y"):
        import numpy

        values = numpy.column_stack([values.x, values.y])
    if getattr(values, "ndim", 0) == 2 and values.shape[1] == 2 and hasattr(values, "tobytes"):
        doubles: bytes = values.astype("<f8").tobytes()
        return doubles
    degrees = [number for value in values for number in position(value)]
    return struct.pack(f"<{len(degrees)}d", *degrees)


def region(value: Region) -> str:
    """Polygons as the text of a GeoJSON object.

    >>> region({"type": "Polygon", "coordinates": [[[24, 60], [25, 60], [25, 61], [24, 60]]]})
    '{"type": "Polygon", "coordinates": [[[24, 60], [25, 60], [25, 61], [24, 60]]]}'
    """
    return value if isinstance(value, str) else json.dumps(_geojson(value))


def _geojson(value: Any) -> dict[str, Any]:
    value = _in_degrees(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _wkb.geojson(bytes(value))
    value = getattr(value, "__geo_interface__", value)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise QuestionError(f"{value!r} is not GeoJSON: {error}") from None
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no geometry: give GeoJSON, WKB or a shapely geometry")
    return dict(value)


def _in_degrees(value: Any) -> Any:
    """What knows another coordinate system than WGS 84, in that."""
    is_foreign = getattr(value, "crs", None) is not None and hasattr(value, "to_crs")
    return value.to_crs("OGC:CRS84") if is_foreign else value


def ids(value: Ids) -> list[int]:
    """Ids, given as integers or texts, one or several.

    >>> ids(17), ids("17"), ids([17, "18"])
    ([17], [17], [17, 18])
    """
    several = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
    try:
        return [int(id) if isinstance(id, str) else operator.index(id) for id in several]
    except (TypeError, ValueError):
        raise QuestionError(f"{value!r} is not an id: 498763468214164") from None


def texts(value: str | Iterable[str]) -> list[str]:
    """One text, or several."""
    return [value] if isinstance(value, str) else [str(text) for text in value]


def _pair(value: tuple[float, float]) -> tuple[float, float]:
    first, second = map(float, value)
    return first, second


_IMAGE_WORDS: dict[str, Callable[[Any], Any]] = {
    "since": since,
    "until": until,
    "pano": bool,
    "organization": ids,
    "creator": ids,
    "sequence": texts,
    "heading": _pair,
    "id": ids,
    "limit": operator.index,
    "allow_partial": bool,
}

_FEATURE_WORDS: dict[str, Callable[[Any], Any]] = {
    "signs": bool,
    "value": texts,
    "first_seen_since": since,
    "first_seen_until": until,
    "last_seen_since": since,
    "last_seen_until": until,
    "id": ids,
    "limit": operator.index,
    "allow_partial": bool,
}

_PLACE_WORDS = PlaceWords.__optional_keys__


def image_words(question: Mapping[str, Any]) -> dict[str, Any]:
    """A question about images as the engine takes it."""
    return _words(question, _IMAGE_WORDS)


def feature_words(question: Mapping[str, Any]) -> dict[str, Any]:
    """A question about map features as the engine takes it."""
    return _words(question, _FEATURE_WORDS)


def _words(
    question: Mapping[str, Any], known: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    words: dict[str, Any] = {"place": None}
    of_place = {}
    for name, value in question.items():
        if value is None:
            continue
        if name in known:
            words[name] = known[name](value)
        elif name in _PLACE_WORDS:
            of_place[name] = value
        else:
            right = ", ".join(sorted({*known, *_PLACE_WORDS, "fields"}))
            raise TypeError(f"{name!r} is no part of this question: there are {right}")
    if of_place:
        words["place"] = place(**of_place)
    return words


def fields(question: dict[str, Any]) -> list[str] | None:
    """Takes the names of columns out of a question."""
    names = question.pop("fields", None)
    return None if names is None else texts(names)


def place(
    bbox: Box = None,
    within: Region = None,
    near: Position = None,
    looking_at: Position = None,
    nearest: int | None = None,
    radius_m: float | None = None,
    fov_deg: float | None = None,
) -> Place | None:
    """The place that was named, if one was."""
    named = [area for area in (bbox, within, near, looking_at) if area is not None]
    if len(named) > 1:
        raise QuestionError("a place is one of bbox, within, near and looking_at: near=(24.9, 60.2)")
    _check_companions(near is not None, looking_at is not None, nearest, radius_m, fov_deg)
    if bbox is not None:
        return Place.bbox(*box(bbox))
    if within is not None:
        return Place.region(region(within))
    if near is not None:
        return _near(near, nearest, radius_m)
    if looking_at is not None:
        return Place.looking_at(*position(looking_at), radius_m, fov_deg)
    return None


def _check_companions(
    near: bool,
    looking_at: bool,
    nearest: int | None,
    radius_m: float | None,
    fov_deg: float | None,
) -> None:
    """Refuses what would silently have no effect."""
    if radius_m is not None and not (near or looking_at):
        raise QuestionError("radius_m needs a centre: near=(24.9384, 60.1699), radius_m=50")
    if nearest is not None and not near:
        raise QuestionError("nearest needs a centre: near=(24.9384, 60.1699), nearest=10")
    if fov_deg is not None and not looking_at:
        raise QuestionError("fov_deg belongs to looking_at: looking_at=(24.94, 60.17), fov_deg=100")


def _near(near: Position, nearest: int | None, radius_m: float | None) -> Place:
    lon, lat = position(near)
    if nearest is not None:
        return Place.nearest(lon, lat, operator.index(nearest), radius_m)
    if radius_m is None:
        raise QuestionError("near needs to know how far: radius_m=50, nearest=10, or both")
    return Place.near(lon, lat, radius_m)


def places(question: Mapping[str, Any]) -> tuple[Place, bytes] | list[Place]:
    """The places of a question that names many of one kind.

    Around positions that is one like them, around no matter what, and the positions.
    """
    several = {name: value for name, value in question.items() if value is not None}
    named = [name for name in ("bbox", "within", "near", "looking_at") if name in several]
    if len(named) != 1:
        raise QuestionError("many places are of one kind: looking_at=[(24.94, 60.17), (24.95, 60.17)]")
    values = several.pop(named[0])
    if named[0] in ("near", "looking_at"):
        somewhere = place(**{**several, named[0]: (0.0, 0.0)})
        assert somewhere is not None
        return somewhere, positions(values)
    values = _in_degrees(values)
    found = (place(**several, **{named[0]: value}) for value in getattr(values, "geometry", values))
    return [each for each in found if each is not None]
