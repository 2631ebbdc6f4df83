"""Mistakes are answered with a right one, and bytes from elsewhere with an error at worst."""

import pickle
import random

import pandas
import pytest
import shapely
from conftest import BOX, DOOR

import tilesight
from tilesight import _wkb


@pytest.mark.parametrize(
    ("question", "kind", "right"),
    [
        ({"bbox": (1, 2, 3)}, ValueError, "west, south, east and north"),
        ({"bbox": {"west": 1}}, ValueError, "'south'"),
        ({"bbox": (1, 3, 4, 2)}, ValueError, "north"),
        ({"bbox": "1,2,3,4"}, ValueError, "60.18"),
        ({"near": DOOR}, ValueError, "radius_m=50"),
        ({"near": (200, 10), "radius_m": 5}, ValueError, "-180 to 180"),
        ({"near": shapely.box(*BOX), "radius_m": 5}, ValueError, "not a point"),
        ({"radius_m": 5}, ValueError, "near="),
        ({"nearest": 5}, ValueError, "near="),
        ({"fov_deg": 5, "bbox": BOX}, ValueError, "looking_at="),
        ({"bbox": BOX, "near": DOOR}, ValueError, "one of"),
        ({"within": shapely.Point(DOOR)}, ValueError, "no area"),
        ({"within": "{"}, ValueError, "GeoJSON"),
        ({"within": 5}, TypeError, "shapely"),
        ({"since": "yesterday"}, ValueError, "2023-05-01"),
        ({"since": pandas.NaT}, ValueError, "NaT"),
        ({"since": True}, TypeError, "2023-05-01"),
        ({"heading": (-10, 10)}, ValueError, "350,10"),
        ({"organization": "acme"}, ValueError, "498763468214164"),
        ({"colour": "red"}, TypeError, "looking_at"),
        ({"fields": []}, ValueError, "captured_at"),
    ],
)
def test_mistakes_are_answered_with_a_right_one(town, question, kind, right):
    with pytest.raises(kind, match=right):
        town.images(**question)


def test_other_coordinate_systems_are_refused(town):
    metres = shapely.set_srid(shapely.box(0, 0, 1, 1), 3857)
    with pytest.raises(tilesight.QuestionError, match="SRID 3857"):
        town.images(within=shapely.to_wkb(metres, include_srid=True))


def test_sources_that_are_none(tmp_path):
    with pytest.raises(tilesight.SourceError, match="no-such-place"):
        tilesight.open("no-such-place")
    with pytest.raises(OSError):
        tilesight.open(tmp_path)
    damaged = tmp_path / "town.tsight"
    tilesight.build("fixtures/town", damaged)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(tilesight.DamagedError):
        tilesight.open(damaged).images()


def test_exceptions_survive_pickling(town):
    with pytest.raises(tilesight.NotHeldError) as raised:
        town.images(bbox=(24.9, 60.1, 25.1, 60.3))
    error = pickle.loads(pickle.dumps(raised.value))
    assert (type(error), str(error)) == (tilesight.NotHeldError, str(raised.value))
    assert (error.missing, error.bounds) == (raised.value.missing, raised.value.bounds)
    assert error.bounds == pytest.approx((24.9, 60.1, 25.1, 60.3))
    assert not error.is_retryable


def some_geometries():
    polygon = shapely.box(*BOX).difference(shapely.Point(24.95, 60.17).buffer(0.001))
    shapes = [polygon, shapely.MultiPolygon([polygon]), shapely.Point(DOOR)]
    shapes.append(shapely.GeometryCollection(shapes))
    return [shapely.to_wkb(shape, byte_order=order) for shape in shapes for order in (0, 1)]


def test_wkb_is_read_as_shapely_reads_it():
    for data in some_geometries():
        read, expected = shapely.geometry.shape(_wkb.geojson(data)), shapely.from_wkb(data)
        assert shapely.get_coordinates(read).tolist() == shapely.get_coordinates(expected).tolist()
        assert (read.area, read.is_valid) == (expected.area, True)


def test_any_bytes_are_a_geometry_or_an_error():
    chance = random.Random(1)
    for data in some_geometries():
        for _ in range(2_000):
            crafted = bytearray(data[: chance.randrange(len(data) + 1)])
            for _ in range(chance.randrange(4)):
                if crafted:
                    crafted[chance.randrange(min(len(crafted), 20))] = chance.randrange(256)
            try:
                _wkb.geojson(bytes(crafted))
            except tilesight.QuestionError:
                pass


def test_promises_of_wkb_take_no_memory():
    endless = bytes([1, 3, 0, 0, 0, 255, 255, 255, 255])
    with pytest.raises(tilesight.QuestionError, match="ends too early"):
        _wkb.geojson(endless)
    nested = bytes([1, 7, 0, 0, 0, 1, 0, 0, 0]) * 10_000
    with pytest.raises(tilesight.QuestionError):
        _wkb.geojson(nested)
