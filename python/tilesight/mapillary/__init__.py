"""The functions of mapillary-python-sdk, answered by Tilesight.

A program that was written for the SDK runs with one line changed::

    import tilesight.mapillary as mly  # was: import mapillary as mly

    mly.interface.set_access_token("MLY|…")
    panoramas = mly.interface.images_in_bbox(
        {"west": 24.92, "south": 60.16, "east": 24.95, "north": 60.18}, image_type="pano"
    )

Names, parameters and types are the SDK's; answers are right where its own are wrong, and
docs/compatibility.md lists every difference. Tiles that are missing are fetched once, five a second,
and kept: later questions about the same place are answered without the service.

The environment says how, when the first function is called: ``MAPILLARY_ACCESS_TOKEN`` has the
token, unless :func:`~interface.set_access_token` does, ``TILESIGHT_STORE`` the file that keeps tiles
(``tilesight/interface.mbtiles`` in the user's folder for caches where nothing is said; ``off`` for
none that lasts), ``TILESIGHT_TILE_URL`` and ``TILESIGHT_GRAPH_URL`` other origins than the service's,
``TILESIGHT_RATE`` how many tiles are asked for in a second at most (``off`` for no limit).
"""

from . import interface, models
from .interface import (
    feature_from_key,
    get_detections_with_image_id,
    get_detections_with_map_feature_id,
    get_image_close_to,
    get_image_looking_at,
    image_from_key,
    image_thumbnail,
    images_in_bbox,
    images_in_geojson,
    images_in_shape,
    is_image_being_looked_at,
    map_feature_points_in_bbox,
    map_features_in_geojson,
    map_features_in_shape,
    save_locally,
    sequences_in_bbox,
    set_access_token,
    traffic_signs_in_bbox,
)

__all__ = [
    "feature_from_key",
    "get_detections_with_image_id",
    "get_detections_with_map_feature_id",
    "get_image_close_to",
    "get_image_looking_at",
    "image_from_key",
    "image_thumbnail",
    "images_in_bbox",
    "images_in_geojson",
    "images_in_shape",
    "interface",
    "is_image_being_looked_at",
    "map_feature_points_in_bbox",
    "map_features_in_geojson",
    "map_features_in_shape",
    "models",
    "save_locally",
    "sequences_in_bbox",
    "set_access_token",
    "traffic_signs_in_bbox",
]
