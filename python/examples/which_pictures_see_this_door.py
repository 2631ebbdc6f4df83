"""Which pictures show a door, best first.

    python which_pictures_see_this_door.py [SOURCE [LON LAT]]

SOURCE is anything that `tilesight.open` takes; the door is one of the made-up town's if none is named.
"""

import sys

import tilesight

source = sys.argv[1] if len(sys.argv) > 1 else "fixtures/town"
door = tuple(map(float, sys.argv[2:4])) or (24.95238, 60.17075)

# %% Those who stand within 50 metres and either look its way or all around.
data = tilesight.open(source)
seen = data.images(looking_at=door)
print(f"{len(seen)} pictures show {door[0]}, {door[1]}")

# %% The best is near, and has the door in its middle: half a metre weighs as much as a degree.
pictures = seen.to_geopandas()
is_pano = pictures["is_pano"].fillna(False)
pictures["kind"] = is_pano.map({True: "panorama", False: "picture"})
off_middle = pictures["offset_deg"].where(~is_pano, 0.0)
pictures["penalty"] = pictures["distance_m"] + 0.5 * off_middle
for picture in pictures.sort_values("penalty").itertuples():
    print(
        f"{picture.captured_at:%Y-%m-%d}  {picture.kind:8}  {picture.distance_m:4.1f} m away  "
        f"https://www.mapillary.com/app/?pKey={picture.id}"
    )

# %% One a year shows how the house has changed.
newest = pictures.sort_values("penalty").drop_duplicates(subset="sequence_id")
years = newest.groupby(newest["captured_at"].dt.year)["id"].first()
print("one a year:", ", ".join(f"{year:.0f}: {id}" for year, id in years.items()))
