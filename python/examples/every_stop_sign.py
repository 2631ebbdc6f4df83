"""Every stop sign of a city, with the picture that shows it best.

    python every_stop_sign.py [SOURCE [OUTPUT.geojson]]
"""

import sys

import tilesight

source = sys.argv[1] if len(sys.argv) > 1 else "fixtures/town"
data = tilesight.open(source)

# %% Signs are detected in pictures and placed on the map by the service.
signs = data.features(value="regulatory--stop--*").to_geopandas()
print(f"stop signs: {len(signs)}")

# %% All pictures that show them, in one question: `target` is the number of the sign.
join = data.images_each(looking_at=signs, radius_m=30, since="2018").to_pandas()
join["penalty"] = join["distance_m"] + 0.5 * join["offset_deg"].fillna(0.0)
best = join.sort_values(["target", "penalty"]).drop_duplicates("target").set_index("target")

# %% A sign that no picture shows any more may be gone.
signs["picture"] = best["id"].reindex(range(len(signs)))
signs["distance_m"] = best["distance_m"].reindex(range(len(signs)))
print(f"shown by no picture since 2018: {signs['picture'].isna().sum()}")
for sign in signs.dropna(subset="picture").head(10).itertuples():
    print(f"{sign.id}  {sign.distance_m:4.1f} m  https://www.mapillary.com/app/?pKey={sign.picture}")
if len(sys.argv) > 2:
    signs.to_file(sys.argv[2])
