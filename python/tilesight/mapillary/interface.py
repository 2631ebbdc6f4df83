"""The functions of ``mapillary.interface``.

Places are written as everywhere in Tilesight: a box as the SDK's mapping or four numbers, a position
as ``{"lng": …, "lat": …}``, ``[lng, lat]`` or a point, a shape as GeoJSON (mapping, text or
:class:`~tilesight.mapillary.models.geojson.GeoJSON`), WKB, or what has ``__geo_interface__``.
Longitude comes before latitude but in :func:`get_image_close_to`.

Texts and objects that come back are GeoJSON ``FeatureCollection``\\ s; none found is an empty one.
Ids are integers, times milliseconds since 1970 (UTC), and what is not known is null. Images have
``captured_at``, ``compass_angle``, ``id``, ``is_pano``, ``sequence_id``, and ``organization_id`` where
there is one.

All functions may raise :class:`~tilesight.QuestionError` for an argument that is none, and
:class:`~tilesight.FetchError` or :class:`~tilesight.NotHeldError` where the service did not give what
is needed; ``is_retryable`` tells whether to try again. The interpreter's lock is released while they
work, and Ctrl-C ends what is being fetched, by any thread; what came by then is kept.
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Union

from .. import _arguments, _tilesight
from .models.geojson import GeoJSON

if TYPE_CHECKING:
    from typing_extensions import TypeAlias, Unpack

Id: TypeAlias = Union[int, str]
"""An id of an image or of a map feature."""


class SequenceFilters(TypedDict, total=False):
    """What images of a sequence must be like: one image for which all holds is enough."""

    min_captured_at: _arguments.Date
    """Captured at or after the start of this date."""
    max_captured_at: _arguments.Date
    """Captured at or before the end of this date: ``"2023"`` has all of that year."""
    image_type: Literal["pano", "flat", "all", "both"]
    """Panoramas, flat images, or all; all where nothing is said."""
    organization_id: _arguments.Ids
    """By one of these organizations."""
    org_id: _arguments.Ids
    """The same."""
    zoom: int
    """14 to 17; it makes no difference, since every image is in tiles of zoom 14."""


class ImageFilters(SequenceFilters, total=False):
    """What images must be like: all that is said must hold."""

    compass_angle: tuple[float, float]
    """Heading from the first to the second in degrees, clockwise, through north if need be."""
    sequence_id: str | Sequence[str]
    """In one of these sequences."""


class TargetFilters(ImageFilters, total=False):
    """How far images may be from a position, and what they must be like."""

    radius: float
    """Greatest distance in metres, included."""
    fov: float
    """Horizontal field of view of flat images in degrees; 100 where nothing is said."""
    fields: Sequence[str]
    """It makes no difference: all properties that tiles have come."""


class BoxFeatureFilters(TypedDict, total=False):
    """When map features were first seen."""

    existed_at: _arguments.Date
    """First seen after the first moment of this date."""
    existed_before: _arguments.Date
    """First seen up to the first moment of this date, included."""
    zoom: int
    """14 to 17; it makes no difference."""


class FeatureFilters(BoxFeatureFilters, total=False):
    """What map features must be like: all that is said must hold."""

    filter_values: str | Sequence[str]
    """One of these values; ``*`` at the end stands for anything."""
    feature_type: Literal["point", "traffic_signs", "all"]
    """Objects, traffic signs or both; objects where nothing is said."""


def set_access_token(token: str) -> dict[str, str]:
    """Sets the access token for all calls to come, without asking the service about it.

    It is sent to the service alone, and no error shows it. What is held is answered without one.
    """
    _client().set_access_token(token)
    return {"token": "SUCCESS"}


def get_image_close_to(
    latitude: float, longitude: float, **kwargs: Unpack[TargetFilters]
) -> GeoJSON:
    """Finds images within ``radius`` metres of a position, nearest first.

    Without a radius, those in the tile of zoom 14 that holds the position, as the SDK has it.
    """
    return GeoJSON(_client().get_image_close_to(latitude, longitude, _filters(kwargs)))


def get_image_looking_at(
    at: _arguments.Position, **filters: Unpack[TargetFilters]
) -> GeoJSON:
    """Finds images that show a position, nearest first.

    They are within ``radius`` metres (50 where nothing is said), and panoramas or turned towards
    the position by at most half of ``fov``.
    """
    where = _arguments.position(at)
    return GeoJSON(_client().get_image_looking_at(where, _filters(filters)))


def is_image_being_looked_at(
    at: _arguments.Position, **filters: Unpack[TargetFilters]
) -> bool:
    """Tells whether any image shows a position, as :func:`get_image_looking_at` would find it."""
    return _client().is_image_being_looked_at(_arguments.position(at), _filters(filters))


def get_detections_with_image_id(image_id: Id, fields: Iterable[str] | None = None) -> GeoJSON:
    """Asks the service what was detected in an image.

    Detections lie where the image was taken, and have ``created_at``, ``id``, ``image_id``, ``value``
    and ``pixel_geometry``: a GeoJSON polygon in fractions of the picture, from its upper left corner.
    ``fields`` asks for some of it, as ``["image", "value"]``.
    """
    return GeoJSON(_client().get_detections_with_image_id(str(image_id), _names(fields)))


def get_detections_with_map_feature_id(
    map_feature_id: Id, fields: Iterable[str] | None = None
) -> GeoJSON:
    """Asks the service which detections make a map feature.

    They are as those of :func:`get_detections_with_image_id`.
    """
    of = str(map_feature_id)
    return GeoJSON(_client().get_detections_with_map_feature_id(of, _names(fields)))


def image_thumbnail(
    image_id: Id, resolution: Literal[256, 1024, 2048, "original"] = 1024
) -> str:
    """Asks the service for the address of a picture, so many pixels wide. It expires."""
    return _client().image_thumbnail(str(image_id), str(resolution))


def images_in_bbox(bbox: _arguments.Box, **filters: Unpack[ImageFilters]) -> str:
    """Finds the images in a box, edges included; ``west > east`` crosses the antimeridian."""
    return _client().images_in_bbox(_arguments.box(bbox), _filters(filters))


def sequences_in_bbox(bbox: _arguments.Box, **filters: Unpack[SequenceFilters]) -> str:
    """Finds the sequences with any part in a box, each once and whole.

    They have the ``captured_at`` and ``image_id`` of their first image, ``id``, ``is_pano``, and
    ``organization_id`` where there is one.
    """
    return _client().sequences_in_bbox(_arguments.box(bbox), _filters(filters))


def map_feature_points_in_bbox(
    bbox: _arguments.Box,
    filter_values: str | Sequence[str] | None = None,
    **filters: Unpack[BoxFeatureFilters],
) -> str:
    """Finds the objects in a box, such as benches.

    They have ``first_seen_at``, ``id``, ``last_seen_at`` and ``value``. ``filter_values`` are the
    values to find; ``*`` at the end of one stands for anything.
    """
    words = _filters({**filters, "filter_values": filter_values})
    return _client().map_feature_points_in_bbox(_arguments.box(bbox), words)


def traffic_signs_in_bbox(
    bbox: _arguments.Box,
    filter_values: str | Sequence[str] | None = None,
    **filters: Unpack[BoxFeatureFilters],
) -> str:
    """Finds the traffic signs in a box, as :func:`map_feature_points_in_bbox` finds objects."""
    words = _filters({**filters, "filter_values": filter_values})
    return _client().traffic_signs_in_bbox(_arguments.box(bbox), words)


def images_in_geojson(geojson: _arguments.Region, **filters: Unpack[ImageFilters]) -> GeoJSON:
    """Finds the images inside the polygons of a GeoJSON document, boundaries included."""
    shape = _arguments.region(geojson)
    return GeoJSON(_client().images_in_geojson(shape, _filters(filters)))


def images_in_shape(shape: _arguments.Region, **filters: Unpack[ImageFilters]) -> GeoJSON:
    """Finds the images inside a shape: the same as :func:`images_in_geojson`."""
    return images_in_geojson(shape, **filters)


def map_features_in_geojson(
    geojson: _arguments.Region, **filters: Unpack[FeatureFilters]
) -> GeoJSON:
    """Finds the map features inside the polygons of a GeoJSON document, boundaries included."""
    shape = _arguments.region(geojson)
    return GeoJSON(_client().map_features_in_geojson(shape, _filters(filters)))


def map_features_in_shape(
    shape: _arguments.Region, **filters: Unpack[FeatureFilters]
) -> GeoJSON:
    """Finds the map features inside a shape: the same as :func:`map_features_in_geojson`."""
    return map_features_in_geojson(shape, **filters)


def feature_from_key(key: Id, fields: Iterable[str] | None = None) -> str:
    """Asks the service for a map feature: a collection of one, with the properties ``fields``.

    Properties are as the service writes them, all where none is named; the geometry always comes.
    """
    return _client().feature_from_key(str(key), _names(fields))


def image_from_key(key: Id, fields: Iterable[str] | None = None) -> str:
    """Asks the service for an image, as :func:`feature_from_key` does for a map feature."""
    return _client().image_from_key(str(key), _names(fields))


def save_locally(
    geojson_data: str | Mapping[str, Any] | GeoJSON,
    file_path: str | os.PathLike[str] | None = None,
    file_name: str | None = None,
    extension: str = "geojson",
) -> None:
    """Saves GeoJSON as a file, in the format of an extension: geojson, csv, parquet and more.

    ``file_path`` is a folder, the current one where none is named; ``file_name`` has no extension,
    and is made of the time where it is left out. The file appears whole or not at all.

    >>> import tempfile
    >>> from pathlib import Path
    >>> bench = {"type": "Feature", "properties": {"id": 17},
    ...          "geometry": {"type": "Point", "coordinates": [24.5, 60.25]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_locally({"type": "FeatureCollection", "features": [bench]}, folder, "benches", "csv")
    ...     print(Path(folder, "benches.csv").read_text())
    ID,WKT,longitude,latitude
    17,POINT (24.5 60.25),24.5,60.25
    """
    text = geojson_data.encode() if isinstance(geojson_data, GeoJSON) else geojson_data
    text = text if isinstance(text, str) else json.dumps(text)
    _tilesight.save_locally(text, file_path, file_name, extension)


_beginning = threading.Lock()


def _client() -> _tilesight.Interface:
    """The client of this process."""
    with _beginning:
        return _begin()


@functools.cache
def _begin() -> _tilesight.Interface:
    """Makes the client as the environment says."""
    return _tilesight.Interface()


_DATES = {
    "min_captured_at": _arguments.since,
    "max_captured_at": _arguments.until,
    "existed_at": _arguments.until,
    "existed_before": _arguments.until,
}


def _filters(given: Mapping[str, Any]) -> str:
    """Filters as JSON, dates as texts or milliseconds.

    >>> import datetime
    >>> _filters({"min_captured_at": datetime.date(2023, 5, 1), "radius": 50, "zoom": None})
    '{"min_captured_at": "2023-05-01", "radius": 50}'
    """
    known = {name: value for name, value in given.items() if value is not None}
    dates = {name: _DATES[name](value) for name, value in known.items() if name in _DATES}
    return json.dumps({**known, **dates}, default=_plain)


def _plain(value: Any) -> Any:
    """Numbers and arrays of NumPy, and collections, as JSON has them."""
    return value.tolist() if hasattr(value, "tolist") else list(value)


def _names(fields: Iterable[str] | None) -> list[str]:
    return [] if fields is None else _arguments.texts(fields)
