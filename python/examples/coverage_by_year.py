"""How much of a city was driven and walked each year, and how much of that for the first time.

    python coverage_by_year.py [SOURCE]
"""

import sys

import tilesight

source = sys.argv[1] if len(sys.argv) > 1 else "fixtures/town"
data = tilesight.open(source)

# %% Kilometres of sequences by the year in which they begin.
sequences = data.sequences(fields=["first_captured_at", "length_m"]).to_pandas()
year = sequences["first_captured_at"].dt.year
kilometres = sequences["length_m"].groupby(year).sum() / 1_000

# %% Stretches of street: tiles of zoom 19, some 76 metres a side at the equator, that have images.
STREET_ZOOM = 19
pictures_by_year = data.stats("year")
undated = pictures_by_year.pop(None, 0)
known = set()
print("year  pictures      km  stretches  of these new")
for year, pictures in pictures_by_year.items():
    tiles = {tile[:3] for tile in data.density(STREET_ZOOM, since=year, until=year)}
    length = kilometres.get(int(year), 0.0)
    print(f"{year}  {pictures:8,}  {length:6.1f}  {len(tiles):9,}  {len(tiles - known):12,}")
    known |= tiles
print(f"?     {undated:8,}")
print(f"all   {data.count():8,}  {kilometres.sum():6.1f}  {len(known):9,}")
