"""Joins a million targets with all images of a dataset, beside GeoPandas.

    python3 join.py DATASET.tsight RECORD.json [TARGETS] [SAMPLE]

Targets lie a few metres beside images, since that is where people ask. GeoPandas holds the images as
points in metres, with its index made, which is not timed. A frame of targets in degrees is given to
both. GeoPandas is asked about the first targets only, and its time is scaled; the answers about these
are compared before anything is timed. Each time is the best of its turns.
"""

import environment

environment.enter()
environment.install_ours()

import json
import sys
import time
import warnings
from pathlib import Path

import geopandas
import numpy as np
import pandas

import tilesight

EARTH_RADIUS_M = 6_371_008.8
RADIUS_M, FOV_DEG = 50.0, 100.0
# No distance on the plane is greater by more, so near to its middle.
PLANE = 1.001
METRES = 20
TURNS = 3
SEED = 7


def main():
    dataset, record, *counts = sys.argv[1:]
    targets, sample = map(int, counts or (1_000_000, 10_000))
    warnings.simplefilter("ignore", tilesight.PartialAnswerWarning)
    data = tilesight.open(dataset)
    images = data.images(fields=["lon", "lat", "id", "compass_angle", "is_pano"]).to_pandas()
    frame = targets_beside(images, targets)
    peer = GeoPandas(images)
    asked = frame.iloc[:sample]
    comparisons = []
    for name, mine, other, bar in [
        ("the nearest image that shows each of", ours(data, "looking_at", limit=1), peer.best, 50),
        ("all images that show each of", ours(data, "looking_at"), peer.looking_at, 0),
        ("the nearest image within 50 m of each of", ours(data, "near", nearest=1), peer.nearest, 0),
    ]:
        same(mine(asked), other(asked))
        my_time, rows = best(lambda: mine(frame))
        their_time, _ = best(lambda: other(asked))
        title = f"{name} {targets:,} targets among {len(images):,} images, {rows:,} rows"
        comparisons.append(comparison(title, my_time, their_time * targets / sample, sample, bar))
    Path(record).parent.mkdir(parents=True, exist_ok=True)
    Path(record).write_text(json.dumps({"comparisons": comparisons}, indent=2))


def targets_beside(images, count):
    random = np.random.default_rng(SEED)
    rows = random.integers(len(images), size=count)
    lon, lat = images["lon"].to_numpy()[rows], images["lat"].to_numpy()[rows]
    away_deg = np.degrees(random.uniform(-METRES, METRES, (2, count)) / EARTH_RADIUS_M)
    points = geopandas.points_from_xy(lon + away_deg[0] / np.cos(np.radians(lat)), lat + away_deg[1])
    return geopandas.GeoDataFrame(geometry=points, crs="OGC:CRS84")


def ours(data, place, **most):
    def join(targets):
        # At the edge of the world that was made there are tiles that nobody has.
        words = {place: targets, "radius_m": RADIUS_M, "allow_partial": True, **most}
        found = data.images_each(**words, fields=["target", "id", "distance_m"])
        return found.to_pandas()

    return join


class GeoPandas:
    """Points in metres with their index, and what an analyst writes around its joins."""

    def __init__(self, images):
        points = geopandas.points_from_xy(images["lon"], images["lat"], crs="OGC:CRS84")
        frame = geopandas.GeoDataFrame(images, geometry=points)
        lon, lat = images["lon"].mean(), images["lat"].mean()
        self.metres = f"+proj=tmerc +lon_0={lon} +lat_0={lat} +R={EARTH_RADIUS_M} +units=m"
        self.images = frame.to_crs(self.metres)
        # Made when it is first asked.
        self.images.sindex.query(self.images.geometry.iloc[0])

    def looking_at(self, targets):
        near = geopandas.sjoin(
            targets.to_crs(self.metres), self.images, predicate="dwithin", distance=RADIUS_M * PLANE
        )
        return self.showing(targets, near)

    def best(self, targets):
        seen = self.looking_at(targets).sort_values(["target", "distance_m", "id"])
        return seen.drop_duplicates("target")

    def nearest(self, targets):
        near = geopandas.sjoin_nearest(
            targets.to_crs(self.metres), self.images, max_distance=RADIUS_M * PLANE
        )
        lon, lat = targets.geometry.x, targets.geometry.y
        near["distance_m"] = distance_m(near, lon.loc[near.index], lat.loc[near.index])
        near = near[near["distance_m"] <= RADIUS_M].sort_values(["distance_m", "id"])
        return table(near[~near.index.duplicated()])

    def showing(self, targets, near):
        lon, lat = (targets.geometry.x.loc[near.index], targets.geometry.y.loc[near.index])
        near["distance_m"] = distance_m(near, lon, lat)
        bearing = bearing_deg(near, lon, lat)
        off = np.abs((bearing - near["compass_angle"] + 180) % 360 - 180)
        shows = near["is_pano"].fillna(False).astype(bool) | (off <= FOV_DEG / 2)
        return table(near[shows & (near["distance_m"] <= RADIUS_M)])


def table(near):
    return near[["id", "distance_m"]].rename_axis("target").reset_index()


def distance_m(images, lon, lat):
    a, b = np.radians(images["lat"]), np.radians(lat)
    across = np.radians(lon - images["lon"])
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half))


def bearing_deg(images, lon, lat):
    a, b = np.radians(images["lat"]), np.radians(lat)
    across = np.radians(lon - images["lon"])
    y = np.sin(across) * np.cos(b)
    x = np.cos(a) * np.sin(b) - np.sin(a) * np.cos(b) * np.cos(across)
    return np.degrees(np.arctan2(y, x)) % 360


def same(mine, other):
    """Ends unless both tables have the same rows, in whatever order."""
    mine, other = (of.sort_values(["target", "id"], ignore_index=True) for of in (mine, other))
    pairs = (of[["target", "id"]].astype("int64") for of in (mine, other))
    pandas.testing.assert_frame_equal(*pairs)
    np.testing.assert_allclose(mine["distance_m"], other["distance_m"], rtol=0, atol=1e-5)
    assert len(mine) > 0


def best(call):
    """The best of some turns in seconds, and how many rows came."""
    times = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        rows = len(call())
        times.append(time.perf_counter() - begun)
    return min(times), rows


def comparison(title, mine, theirs, sample, bar):
    return {
        "number": 1,
        "title": title,
        "peer": "GeoPandas",
        "questions": sample,
        "ours": times(mine),
        "theirs": times(theirs),
        "bar": {"faster": bar},
    }


def times(seconds):
    return dict.fromkeys(("mean_ns", "p50_ns", "p99_ns"), seconds * 1e9)


main()
