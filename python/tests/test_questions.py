"""Questions in all their forms are one question, and the answer that of brute force."""

import datetime
import json
import random
import threading

import geopandas
import numpy
import pandas
import pytest
import shapely
from conftest import BOX, DOOR, ROOT

import tilesight

TRIANGLE = shapely.Polygon([(24.93, 60.16), (24.97, 60.165), (24.945, 60.175)])


@pytest.fixture(scope="module")
def frame(town):
    return town.images().to_geopandas()


def test_boxes_in_all_forms(town, frame):
    west, south, east, north = BOX
    inside = frame.lon.between(west, east) & frame.lat.between(south, north)
    expected = set(frame.id[inside])
    edges = {"west": west, "south": south, "east": east, "north": north}
    for box in (BOX, list(BOX), numpy.array(BOX), edges):
        assert set(town.images(bbox=box).ids()) == expected
    assert town.count(bbox=BOX) == len(expected) > 100


def test_regions_in_all_forms(town, frame):
    expected = set(frame.id[frame.intersects(TRIANGLE)])
    series = geopandas.GeoSeries([TRIANGLE], crs="OGC:CRS84")
    with_srid = shapely.to_wkb(shapely.set_srid(TRIANGLE, 4326), include_srid=True)
    of_postgis = shapely.to_wkb(shapely.force_3d(TRIANGLE), output_dimension=3, byte_order=0)
    for region in (
        TRIANGLE,
        TRIANGLE.__geo_interface__,
        json.dumps(TRIANGLE.__geo_interface__),
        TRIANGLE.wkb,
        with_srid,
        of_postgis,
        shapely.to_wkb(shapely.force_3d(TRIANGLE), flavor="iso"),
        shapely.MultiPolygon([TRIANGLE]).wkb,
        shapely.GeometryCollection([TRIANGLE]).wkb,
        series,
        series.to_frame("geometry"),
        series.to_crs("EPSG:3857"),
    ):
        found = set(town.images(within=region).ids())
        # A projection and back moves an edge by less than a tenth of a millimetre.
        assert len(found ^ expected) <= 1, type(region)
    assert len(expected) > 100


def test_areas_of_files(town):
    region = (ROOT / "fixtures" / "areas" / "district.geojson").read_text()
    assert town.count(within=region) == town.count(within=json.loads(region)) > 0


def test_positions_in_all_forms(town):
    lon, lat = DOOR
    point = shapely.Point(DOOR)
    expected = town.images(near=DOOR, radius_m=30).ids()
    for position in (
        [lon, lat],
        numpy.array(DOOR),
        {"lng": lon, "lat": lat},
        {"lon": lon, "lat": lat},
        point,
        point.wkb,
        point.__geo_interface__,
        json.dumps(point.__geo_interface__),
        {"type": "Feature", "properties": {}, "geometry": point.__geo_interface__},
    ):
        assert town.images(near=position, radius_m=30).ids() == expected
    assert expected


def test_dates_in_all_forms(town, frame):
    expected = set(frame.id[frame.captured_at >= "2023-05-01"])
    day = datetime.date(2023, 5, 1)
    instant = datetime.datetime(2023, 5, 1, tzinfo=datetime.timezone.utc)
    elsewhere = datetime.timezone(datetime.timedelta(hours=2))
    for since in (
        "2023-05-01",
        "2023-05-01T02:00+02:00",
        day,
        datetime.datetime(2023, 5, 1),
        instant,
        instant.astimezone(elsewhere),
        int(instant.timestamp() * 1000),
        pandas.Timestamp("2023-05-01"),
        pandas.Timestamp("2023-05-01", tz="UTC"),
        pandas.Period("2023-05-01"),
        numpy.datetime64("2023-05-01"),
    ):
        assert set(town.images(since=since).ids()) == expected, since
    assert 0 < len(expected) < len(frame)


def test_dates_are_closed_at_both_ends(town, frame):
    times = frame.captured_at.dropna().drop_duplicates().sample(5, random_state=1)
    for time in times:
        expected = set(frame.id[frame.captured_at == time])
        assert set(town.images(since=time, until=time).ids()) == expected
        later = time.to_pydatetime() + datetime.timedelta(microseconds=1)
        assert not expected & set(town.images(since=later).ids())
        assert expected <= set(town.images(until=later).ids())


def test_filters_are_those_of_the_columns(town, frame):
    creator = int(frame.creator_id.dropna().iloc[0])
    organization = int(frame.organization_id.dropna().iloc[0])
    sequence = frame.sequence_id.dropna().iloc[0]
    some = frame.id.sample(7, random_state=1)
    heading = frame.compass_angle
    for question, expected in (
        ({"pano": True}, frame.is_pano.fillna(False)),
        ({"pano": False}, ~frame.is_pano.fillna(True)),
        ({"creator": creator}, frame.creator_id == creator),
        ({"creator": [str(creator), 1]}, frame.creator_id == creator),
        ({"organization": organization}, frame.organization_id == organization),
        ({"sequence": sequence}, frame.sequence_id == sequence),
        ({"heading": [350, 10]}, (heading >= 350) | (heading <= 10)),
        ({"id": some}, frame.id.isin(some)),
        ({"id": str(some.iloc[0])}, frame.id == some.iloc[0]),
    ):
        found = set(town.images(**question).ids())
        assert found == set(frame.id[expected.fillna(False).astype(bool)]), question
        assert found, question


def test_features_by_value_and_kind(town):
    every = town.features().to_pandas()
    signs = town.features(signs=True).to_pandas()
    assert set(signs.id) == set(every.id[every.kind == "traffic_sign"])
    value = every.value.iloc[0]
    assert set(town.features(value=value).ids()) == set(every.id[every.value == value])
    seen = every.first_seen_at >= "2022"
    assert set(town.features(first_seen_since="2022").ids()) == set(every.id[seen])


def test_counts_are_those_of_the_rows(town, frame):
    years = frame.captured_at.dt.year.value_counts()
    stats = town.stats("year")
    assert stats.pop(None) == frame.captured_at.isna().sum()
    assert stats == {str(int(year)): count for year, count in years.items()}
    assert list(stats) == sorted(stats)
    assert sum(town.stats("creator", pano=True).values()) == town.count(pano=True)
    assert sum(count for *_, count in town.density(14)) == len(frame)


def test_a_join_is_its_questions_one_by_one(town, frame):
    chance = random.Random(1)
    doors = [(chance.uniform(24.93, 24.97), chance.uniform(60.16, 60.18)) for _ in range(50)]
    series = geopandas.GeoSeries(geopandas.points_from_xy(*zip(*doors)), crs="OGC:CRS84")
    for options in (
        {"looking_at": doors},
        {"looking_at": doors, "limit": 1},
        {"near": doors, "nearest": 3},
        {"near": doors, "radius_m": 20},
    ):
        (name,) = options.keys() & {"near", "looking_at"}
        others = {key: value for key, value in options.items() if key != name}
        expected = [
            (number, id)
            for number, door in enumerate(doors)
            for id in town.images(**{name: door}, **others, pano=True, allow_partial=False).ids()
        ]
        for targets in (doors, numpy.array(doors), series, series.to_frame("geometry")):
            found = town.images_each(**{name: targets}, **others, pano=True)
            join = found.to_pandas()
            assert list(zip(join.target, join.id)) == expected
            assert found.ids() == [id for _, id in expected]
        assert expected


def test_a_join_with_polygons(town):
    quarters = geopandas.read_file(ROOT / "fixtures" / "areas" / "collection.geojson").set_crs(
        "OGC:CRS84", allow_override=True
    )
    join = town.images_each(within=quarters, fields=["target", "id"]).to_pandas()
    assert list(join.columns) == ["target", "id"]
    for number, polygon in enumerate(quarters.geometry):
        assert set(join.id[join.target == number]) == set(town.images(within=polygon).ids())
    joined = town.images_each(within=quarters).to_geopandas()
    of_geopandas = town.images().to_geopandas().sjoin(quarters)
    assert len(joined) == len(of_geopandas) > 0


def test_a_join_of_nothing(town):
    join = town.images_each(looking_at=[])
    assert len(join) == 0
    assert {"target", "offset_deg"} <= set(join.to_arrow().column_names)
    with pytest.warns(tilesight.PartialAnswerWarning):
        assert town.images_each(looking_at=[(24.0, 60.0)], allow_partial=True).missing is not None


def test_threads_ask_at_the_same_time(town):
    answers = []
    ask = lambda: answers.append(town.images(bbox=BOX).ids())  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [town.images(bbox=BOX).ids()] * 8


def test_what_is_missing_is_told(town):
    beyond = (24.9, 60.1, 25.1, 60.3)
    with pytest.raises(tilesight.NotHeldError, match="allow_partial=True"):
        town.images(bbox=beyond)
    with pytest.warns(tilesight.PartialAnswerWarning, match="not held"):
        some = town.images(bbox=beyond, allow_partial=True)
    assert some.missing.missing < some.missing.wanted
    assert set(town.images(bbox=BOX).ids()) <= set(some.ids())
    assert town.images(bbox=BOX).missing is None
