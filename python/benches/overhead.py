"""What a call from Python costs beyond the question itself.

    python python/benches/overhead.py [SOURCE]

A question that the engine answers in next to no time is asked many times, in all the ways in which
questions come; what remains is the way there and back.
"""

import sys
import timeit

import tilesight

source = sys.argv[1] if len(sys.argv) > 1 else "fixtures/town"
data = tilesight.open(source)
west, south, east, north = data.info()["bounds"]
door = ((west + east) / 2, (south + north) / 2)
CALLS, TURNS = 2_000, 9

QUESTIONS = {
    "count, an id": lambda: data.count(id=1),
    "images, an id": lambda: data.images(id=1),
    "images, a box of a metre": lambda: data.images(bbox=(*door, door[0] + 1e-5, door[1] + 1e-5)),
    "images, looking at": lambda: data.images(looking_at=door),
    "images, looking at, five filters": lambda: data.images(
        looking_at=door, radius_m=20.0, since="2023", pano=True, heading=(0, 90), limit=5
    ),
    "ids of images looking at": lambda: data.images(looking_at=door).ids(),
    "the stream of images looking at": lambda: data.images(looking_at=door).__arrow_c_stream__(),
}

for name, ask in QUESTIONS.items():
    best = min(timeit.repeat(ask, number=CALLS, repeat=TURNS)) / CALLS
    print(f"{name:34} {best * 1e6:8.2f} µs")
