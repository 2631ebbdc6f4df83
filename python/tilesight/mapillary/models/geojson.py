"""GeoJSON as objects with attributes, as the SDK has it.

>>> town = GeoJSON({"type": "FeatureCollection", "features": [{"type": "Feature",
...     "geometry": {"type": "Point", "coordinates": [24.94, 60.17]}, "properties": {"id": 17}}]})
>>> town.features[0].properties.id, town.features[0].geometry.coordinates
(17, 24.94, 60.17)
>>> town.to_dict()["features"][0]["geometry"]
{'type': 'Point', 'coordinates': [24.94, 60.17]}
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any


class Properties(SimpleNamespace):
    """Properties of a feature, as attributes.

    >>> Properties({"id": 17}, is_pano=True).to_dict()
    {'id': 17, 'is_pano': True}
    """

    def __init__(self, *properties: Mapping[str, Any], **more: Any) -> None:
        for some in properties:
            self.__dict__.update(some)
        self.__dict__.update(more)

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return repr(self.to_dict())


class Coordinates:
    """A position in degrees on WGS 84.

    >>> Coordinates(24.94, 60.17).to_dict()
    {'lng': 24.94, 'lat': 60.17}
    """

    def __init__(self, longitude: float, latitude: float) -> None:
        self.longitude = longitude
        self.latitude = latitude

    def to_list(self) -> list[float]:
        """Longitude and latitude."""
        return [self.longitude, self.latitude]

    def to_dict(self) -> dict[str, float]:
        """As a mapping of ``lng`` and ``lat``."""
        return {"lng": self.longitude, "lat": self.latitude}

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        return {"type": "Point", "coordinates": self.to_list()}

    def __repr__(self) -> str:
        return f"{self.longitude}, {self.latitude}"


class Geometry:
    """Where a feature is: ``coordinates`` of a point are :class:`Coordinates`, others lists."""

    def __init__(self, geometry: Mapping[str, Any]) -> None:
        self.type: str = geometry["type"]
        coordinates = geometry["coordinates"]
        self.coordinates = Coordinates(*coordinates[:2]) if self.type == "Point" else coordinates

    def to_dict(self) -> dict[str, Any]:
        """As GeoJSON."""
        coordinates = self.coordinates
        if isinstance(coordinates, Coordinates):
            coordinates = coordinates.to_list()
        return {"type": self.type, "coordinates": coordinates}

    def __repr__(self) -> str:
        return repr(self.to_dict())


class Feature:
    """A geometry with properties. ``geometry`` is None where none is known."""

    def __init__(self, feature: Mapping[str, Any]) -> None:
        self.type = "Feature"
        self.geometry = Geometry(feature["geometry"]) if feature["geometry"] else None
        self.properties = Properties(feature["properties"])

    def to_dict(self) -> dict[str, Any]:
        """As GeoJSON."""
        return {
            "type": self.type,
            "geometry": self.geometry and self.geometry.to_dict(),
            "properties": self.properties.to_dict(),
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Feature) and self.to_dict() == other.to_dict()

    def __repr__(self) -> str:
        return repr(self.to_dict())


class GeoJSON:
    """A collection of features, made of a mapping or a text.

    >>> none = GeoJSON('{"type": "FeatureCollection", "features": []}')
    >>> none.to_dict()
    {'type': 'FeatureCollection', 'features': []}
    """

    def __init__(self, geojson: Mapping[str, Any] | str) -> None:
        self.type = "FeatureCollection"
        self._text = geojson if isinstance(geojson, str) else json.dumps(geojson)

    @functools.cached_property
    def features(self) -> list[Feature]:
        """The features as objects, made when they are first asked for."""
        return [Feature(feature) for feature in json.loads(self._text)["features"]]

    def append_features(self, features: Iterable[Mapping[str, Any]]) -> None:
        """Appends those of some features, as GeoJSON, that are not there yet."""
        for feature in features:
            self.append_feature(feature)

    def append_feature(self, feature_inputs: Mapping[str, Any]) -> None:
        """Appends a feature, as GeoJSON, if it is not there yet."""
        feature = Feature(feature_inputs)
        if feature not in self.features:
            self.features.append(feature)

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary, a new one each time."""
        if self._is_text():
            return dict(json.loads(self._text))
        return {"type": self.type, "features": [feature.to_dict() for feature in self.features]}

    def encode(self) -> str:
        """As text."""
        return self._text if self._is_text() else json.dumps(self.to_dict())

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        return self.to_dict()

    def _is_text(self) -> bool:
        """Whether no features were made, which may have been changed."""
        return "features" not in vars(self)

    def __repr__(self) -> str:
        return repr(self.to_dict())
