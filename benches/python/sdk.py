"""Asks Mapillary's Python SDK and the drop-in for it the same questions, on the same service.

    python3 sdk.py ORIGIN WEST,SOUTH,EAST,NORTH RECORD.json [TURNS]

The service at ORIGIN serves the tiles of the box. Answers are compared before anything is timed.
Then both have their turns. The first call of ours fetches what the SDK's fetches, into a store that
is new; the second is answered from what is held, while the SDK fetches again, since it keeps nothing.
Each time is the best of its turns.
"""

import environment

environment.enter()
environment.install_ours()

import json
import logging
import math
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import mapillary.interface as theirs
import requests

from tilesight.mapillary import interface as ours

TOKEN = "MLY|1|2"
EDGES = ("west", "south", "east", "north")
RADIUS_M = 50
# Calls of ours that take microseconds are timed many at a time.
CALLS = 1_000


def main():
    origin, edges, record, *turns = sys.argv[1:]
    box = dict(zip(EDGES, map(float, edges.split(","))))
    direct_to(origin)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), int(*turns or [3]))
        comparisons = bench.images_in_bbox(box) + bench.looking_at(box)
    Path(record).parent.mkdir(parents=True, exist_ok=True)
    Path(record).write_text(json.dumps({"comparisons": comparisons}, indent=2))


def direct_to(origin):
    """Leads both to the service; the SDK has its addresses built in, and tells of every request."""
    send = requests.adapters.HTTPAdapter.send

    def directed(adapter, request, **options):
        for host in ("tiles", "graph"):
            request.url = request.url.replace(f"https://{host}.mapillary.com", origin)
        return send(adapter, request, **options)

    requests.adapters.HTTPAdapter.send = directed
    logging.disable(logging.ERROR)
    theirs.set_access_token(TOKEN)
    os.environ["MAPILLARY_ACCESS_TOKEN"] = TOKEN
    os.environ["TILESIGHT_TILE_URL"] = origin
    os.environ["TILESIGHT_RATE"] = "off"


class Bench:
    """Times calls of both in turns."""

    def __init__(self, folder, turns):
        self.folder, self.turns, self.stores = folder, turns, 0

    def images_in_bbox(self, box):
        mine, other = (partial(module.images_in_bbox, box) for module in (ours, theirs))
        self.begin_anew()
        rows = same(json.loads(mine()), json.loads(other()))
        title = f"`images_in_bbox`, {rows:,} rows of 50 tiles"
        return self.compare([f"{title}, first call", f"{title}, again"], mine, other, [20, 100], 1)

    def looking_at(self, box):
        at = {"lng": (box["west"] * 5 + box["east"]) / 6, "lat": (box["south"] * 2 + box["north"]) / 3}
        mine = partial(ours.get_image_looking_at, at, radius=RADIUS_M)
        other = partial(theirs.get_image_looking_at, at, radius=RADIUS_M)
        self.begin_anew()
        rows = same(mine().to_dict(), other().to_dict())
        title = f"`get_image_looking_at`, {rows} of 5,000 images of a tile"
        return self.compare(
            [f"{title}, first call", f"{title}, again"], mine, other, [20, 1000], CALLS
        )

    def compare(self, titles, mine, other, bars, calls):
        """The best of some turns of the first call of ours, of the next ones, and of theirs."""
        first, again, their = [], [], []
        for _ in range(self.turns):
            self.begin_anew()
            first.append(seconds(mine))
            again.append(min(seconds(mine, calls) for _ in range(3)))
            their.append(seconds(other))
        each = zip(titles, (first, again), bars)
        return [comparison(title, min(times), min(their), bar) for title, times, bar in each]

    def begin_anew(self):
        """Gives the drop-in a store that holds nothing."""
        self.stores += 1
        os.environ["TILESIGHT_STORE"] = str(self.folder / f"{self.stores}.mbtiles")
        ours._begin.cache_clear()


def seconds(call, calls=1):
    begun = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begun) / calls


def comparison(title, mine, their, bar):
    return {
        "number": 0,
        "title": title,
        "peer": "mapillary-python-sdk",
        "questions": 1,
        "ours": times(mine),
        "theirs": times(their),
        "bar": {"faster": bar},
    }


def times(seconds):
    return dict.fromkeys(("mean_ns", "p50_ns", "p99_ns"), seconds * 1e9)


def same(mine, other):
    """How many features both have, once they are found to be the same."""
    mine, other = (
        {image["properties"]["id"]: image for image in answer["features"]} for answer in (mine, other)
    )
    if mine.keys() != other.keys():
        sys.exit(f"{len(mine)} images of ours, {len(other)} of theirs")
    for id, image in mine.items():
        theirs = other[id]
        places = zip(*(feature["geometry"]["coordinates"] for feature in (image, theirs)))
        known = {name: theirs["properties"].get(name) for name in image["properties"]}
        if image["properties"] != known or not all(
            math.isclose(a, b, abs_tol=1e-8) for a, b in places
        ):
            sys.exit(f"{image} of ours, {theirs} of theirs")
    return len(mine)


main()
